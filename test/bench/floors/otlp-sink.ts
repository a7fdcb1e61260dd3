/** A collector of traces that throws away what it gets, and counts it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { floorReady, floorSettings } from './floor.ts';

await floorSettings<object>();
let spans = 0;
const server = createServer(async (request, response) => {
  // Each has one; to read what else it says would take time from what is measured.
  spans += (await text(request)).split('"spanId"').length - 1;
  response.setHeader('content-type', 'application/json');
  response.end(request.method === 'GET' ? String(spans) : '{}');
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
floorReady({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
