"""What a configuration may say of sinks, as `config.py` reads it."""

from pathlib import Path

import pytest

from streamtag.config import check_labels
from streamtag.errors import ConfigError
from tests.configurations import load, refusal


def test_sinks_are_read_with_the_files_of_their_secrets_beside_the_configuration(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        '[service]\nname = "cellar"\n'
        '[mqtt]\nhost = "broker"\nuser = "me"\npassword_file = "mqtt.txt"\nlabels = ["Dog"]\n'
        '[[webhook]]\nurl = "https://me:hunter2@example.org/hook"\ntoken_file = "token.txt"\n',
    )
    assert config.mqtt is not None
    assert config.service.name == "cellar"
    assert (config.mqtt.port, config.mqtt.base, config.mqtt.discovery) == (1883, "streamtag", "homeassistant")
    assert config.mqtt.password_file == f"{tmp_path}/mqtt.txt"
    assert config.webhooks[0].token_file == f"{tmp_path}/token.txt"
    assert "hunter2" not in repr(config)
    with pytest.raises(ConfigError, match=r'line 7: \[mqtt\] labels: the model has no label "Dog"'):
        check_labels(config, ["Cat"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[mqtt]\nport = 1", "line 1: [mqtt]: host is missing"),
        ('[mqtt]\nhost = "a"\nport = 70000', "line 3: [mqtt] port = 70000: must be a whole number from 1 to 65535"),
        ('[mqtt]\nhost = "a"\npassword = "hunter2"', "line 3: [mqtt] password needs user beside it"),
        ('[mqtt]\nhost = "a"\nca_file = "ca.pem"', "line 3: [mqtt] ca_file needs tls beside it"),
        ('[mqtt]\nhost = "a"\nbase = "a/#"', 'line 3: [mqtt] base = "a/#": must be'),
        ('[mqtt]\nhost = "a"\nlabels = "Dog"', "a list of labels"),
        ('[webhook]\nurl = "http://a"', "[webhook]: must be written [[webhook]]"),
        ('[[webhook]]\nurl = "ftp://u:hunter2@h/x"', "line 2: [[webhook]] url: must be an address"),
        ('[[webhook]]\nurl = "http://u:hunter2@h:99999"', "line 2: [[webhook]] url: its host or port cannot be one"),
        ('[[webhook]]\nurl = "http://a"\n' * 2, "line 4: [[webhook]] url: another webhook has this address"),
        ('[service]\nname = "a b"', 'line 2: [service] name = "a b": must be'),
    ],
)
def test_a_sink_that_cannot_be_is_refused_with_its_line_and_without_its_secret(
    tmp_path: Path, text: str, message: str
) -> None:
    refused = refusal(tmp_path, text)
    assert message in refused
    assert "hunter2" not in refused
