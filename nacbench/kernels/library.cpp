// The kernels for CPUs, registered as PyTorch's operators; the Python module of each has its schema.
#include "attention.h"
#include "geglu.h"
#include "links.h"
#include "norm.h"
#include "softmax.h"

STABLE_TORCH_LIBRARY_IMPL(nacbench, CPU, library) {
  library.impl("biased_attention", TORCH_BOX(&biased_attention));
  library.impl("biased_attention_backward", TORCH_BOX(&biased_attention_backward));
  library.impl("geglu", TORCH_BOX(&geglu));
  library.impl("geglu_backward", TORCH_BOX(&geglu_backward));
  library.impl("log_links", TORCH_BOX(&log_links));
  library.impl("log_links_backward", TORCH_BOX(&log_links_backward));
  library.impl("norm_gains", TORCH_BOX(&norm_gains));
  library.impl("norm_gains_backward", TORCH_BOX(&norm_gains_backward));
  library.impl("biased_softmax", TORCH_BOX(&biased_softmax));
  library.impl("biased_softmax_backward", TORCH_BOX(&biased_softmax_backward));
}
