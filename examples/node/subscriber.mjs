// Prints scores as they come, or the first COUNT of them: node subscriber.mjs [ENDPOINT] [COUNT]
import { Subscriber } from "zeromq"

const [endpoint = "tcp://127.0.0.1:5556", count = Infinity] = process.argv.slice(2)
const socket = new Subscriber()
socket.connect(endpoint)
socket.subscribe("scores/")

let left = Number(count)
for await (const [topic, header, payload] of socket) {
  const { stream, start, n, top } = JSON.parse(header.toString())
  // the payload may begin anywhere in its buffer, so read it through a view: n scores of the patch, then n rolling
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const patch = Array.from({ length: n }, (_, label) => view.getFloat32(4 * label, true))
  console.log(JSON.stringify({ topic: topic.toString(), stream, start, top, patch }))
  if (--left <= 0) break
}
socket.close()
