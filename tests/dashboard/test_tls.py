from pathlib import Path

import pytest

from streamtag.dashboard.tls import open_context
from streamtag.errors import ConfigError
from tests.real.certificates import Authority, make_authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


def test_a_certificate_and_its_key_open(authority: Authority) -> None:
    open_context(authority.selfmade, authority.selfmade.with_name("self.key"))
    open_context(authority.good, authority.good)


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        ("self.pem", "good.key", "the key .*good.key does not belong to the certificate .*self.pem"),
        ("self.pem", "self.pem", "are not a certificate and its key in PEM"),
        ("good.ext", "good.key", "are not a certificate and its key in PEM"),
        ("missing.pem", "good.key", "--tls-cert: .*missing.pem cannot be read: No such file"),
        ("self.pem", "missing.key", "--tls-key: .*missing.key cannot be read: No such file"),
        ("self.pem", ".", "--tls-key: .* cannot be read: Is a directory"),
    ],
)
def test_whatever_is_none_is_one_line(authority: Authority, certificate: str, key: str, words: str) -> None:
    folder = authority.ca.parent
    with pytest.raises(ConfigError, match=words) as refused:
        open_context(folder / certificate, folder / key)
    assert "\n" not in str(refused.value)


LOCKED = """-----BEGIN ENCRYPTED PRIVATE KEY-----
MIH0MF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBAsSpTJqsWDSTfZoAqm
"""


def test_a_key_that_asks_for_a_password_holds_up_nothing(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "locked.key").write_text(LOCKED + "-----END ENCRYPTED PRIVATE KEY-----\n")
    with pytest.raises(ConfigError, match="--tls-cert, --tls-key"):
        open_context(authority.selfmade, tmp_path / "locked.key")
