"""The orders by the names that `spec.tags.order` gives them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bundlewatch.policy.alphabetical import ALPHABETICAL
from bundlewatch.policy.calver import CALVER
from bundlewatch.policy.numerical import NUMERICAL
from bundlewatch.policy.order import Order
from bundlewatch.policy.semver import SEMVER

ORDERS: Final[Mapping[str, Order]] = MappingProxyType(
    {order.name: order for order in (SEMVER, CALVER, NUMERICAL, ALPHABETICAL)}
)
