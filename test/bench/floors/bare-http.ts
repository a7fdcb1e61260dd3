/** The least that any call over HTTP costs: Node.js answers a short text to whatever it is asked. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { floorReady, floorSettings } from './floor.ts';

const ANSWER = JSON.stringify({ code: 0, message: 'OK', data: {} });
const HEADERS = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(ANSWER) };

await floorSettings();
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, HEADERS).end(ANSWER);
});
server.listen(0, '127.0.0.1', () => {
  floorReady({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
