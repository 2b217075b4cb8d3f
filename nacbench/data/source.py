"""Where a task's files come from, other than the hub: archives that can be downloaded, and files that users bring.

Every kind fulfils `nacbench.task.DataSource`; `nacbench.data.hub.HubDataset` is the one for the hub.
"""
