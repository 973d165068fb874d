"""What operators get wrong in one listener or in the processor's cluster, with the finding that must name it.

Each is applied to what `render` writes; a real Envoy takes all of them.
"""

from istio.doctor.connection_mistakes import CONNECTION_MISTAKES
from istio.doctor.filter_mistakes import FILTER_MISTAKES
from istio.doctor.gateway_mistakes import GATEWAY_MISTAKES

MISTAKES = FILTER_MISTAKES | CONNECTION_MISTAKES | GATEWAY_MISTAKES
