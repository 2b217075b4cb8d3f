"""Small faithful copies of data sets in every form in which users have them: right names, formats and oddities.

Each class has a colour of its own, so that tests can check labels by what the pictures show.
"""
