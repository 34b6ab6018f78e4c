"""Which cores a plugin works with: what its package requires is heeded before it is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pyquarantine_core import __version__
from pyquarantine_core.testing.rules import rule

from .test_plugin_commands import GOOD

if TYPE_CHECKING:
    from tests.conftest import InstallPlugin, Pyquarantine


class TestTheCoreThatAPluginWants:
    @pytest.mark.parametrize("wanted", [">=4", "<3.0", "==2.*", "~=1.0", "[testing]>=4"])
    def test_another_one_is_said_before_anything_is_imported(
        self, wanted: str, pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        needs = (f"pyquarantine-core{wanted}",)
        install_plugin("pyq_bad", "raise AssertionError('imported')", requires=needs)
        version = wanted.removeprefix("[testing]")
        done = pyquarantine("plugins", "check")
        assert (done.status, done.out) == (1, "")
        assert done.error == (
            "pyquarantine: pyq-bad 1.0 (pyq_bad) failed: wants "
            f"pyquarantine-core{version}, this is {__version__}\n"
        )

    @pytest.mark.parametrize(
        "needs",
        [
            (),
            ("pyquarantine-core",),
            ("PyQuarantine_Core >= 3.0, < 4",),
            ("pyquarantine-core-extras>=99", "other<1"),
            ("pyquarantine-core>=99; extra == 'new'",),
            ("pyquarantine-core>=99; python_version < '3'",),
            ("a requirement that pip would not take", "pyquarantine-core>=2"),
        ],
    )
    def test_this_one_is_good_enough(
        self, needs: tuple[str, ...], pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_good", GOOD, requires=needs)
        assert pyquarantine("plugins", "check").status == 0

    def test_a_config_that_names_its_types_is_refused_with_the_cause(
        self, pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_good", GOOD, requires=("pyquarantine-core>=99",))
        pyquarantine.configure({"rules": [rule("stamp", {"text": "x"})]})
        done = pyquarantine("show")
        assert done.status == 78
        assert "pyq-good 1.0 failed: wants pyquarantine-core>=99" in done.error
