"""Switches a Zigbee2MQTT light while a dog barks: python light_by_mqtt.py [HOST] [PORT]    (pip install paho-mqtt)."""

import json
import sys

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


def heard(client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
    client.publish("zigbee2mqtt/porch/set", json.dumps({"state": message.payload.decode()}), qos=1)  # ON or OFF


host, port = (sys.argv[1:] + ["127.0.0.1", "1883"][len(sys.argv) - 1 :])[:2]
client = mqtt.Client(CallbackAPIVersion.VERSION2)
client.on_connect = lambda client, *_: client.subscribe("streamtag/cellar/porch/label/dog", qos=1)
client.on_message = heard
client.connect(host, int(port))
client.loop_forever()
