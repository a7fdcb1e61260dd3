/**
 * A name server such as CoreDNS before headless Services: it answers with the addresses of the pods behind a name.
 *
 * 1. An answer is as old as the caches of a cluster make it: for `staleMs` a name is answered as it was when it was first asked for.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export interface NameServer extends AsyncDisposable {
  /** As host:port. */
  readonly address: string;
}

const HEADER_BYTES = 12;
const TYPE_A = 1;
const NOT_FOUND = 3;
/** The name of the question, which comes right behind the header. */
const POINTER_TO_NAME = 0xc00c;

/** @param find the IPv4 addresses behind a name at the moment; undefined where there is no such name */
export async function startNameServer(
  find: (name: string) => readonly string[] | undefined,
  staleMs: number,
): Promise<NameServer> {
  const known = new Map<string, { readonly addresses: readonly string[] | undefined; readonly until: number }>();
  const lookUp = (name: string) => {
    const cached = known.get(name);
    if (cached && cached.until > performance.now()) return cached.addresses;
    const addresses = find(name);
    known.set(name, { addresses, until: performance.now() + staleMs });
    return addresses;
  };
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const answer = answerTo(query, lookUp);
    if (answer) socket.send(answer, port, address, () => undefined); // who got no answer asks again
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { address, port } = socket.address() as AddressInfo;
  return {
    address: `${address}:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

/** The answer to a query of one question (RFC 1035, section 4); undefined where it is none. */
export function answerTo(query: Buffer, lookUp: (name: string) => readonly string[] | undefined): Buffer | undefined {
  const asked = readQuestion(query);
  if (!asked) return undefined;
  const addresses = lookUp(asked.name);
  const records = asked.type === TYPE_A ? (addresses ?? []).map(recordOf) : [];
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  // An answer with authority, to whoever wishes recursion or not.
  header.writeUInt16BE(0x8580 | (addresses ? 0 : NOT_FOUND), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, query.subarray(HEADER_BYTES, asked.end), ...records]);
}

function readQuestion(
  query: Buffer,
): { readonly name: string; readonly type: number; readonly end: number } | undefined {
  if (query.length < HEADER_BYTES || query.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(query.toString('latin1', at, at + length));
    at += length;
  }
  const end = at + 4;
  if (end > query.length) return undefined;
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at), end };
}

/** No client is to keep it: how old an answer may be is up to the server. */
function recordOf(address: string): Buffer {
  const record = Buffer.alloc(16);
  record.writeUInt16BE(POINTER_TO_NAME, 0);
  record.writeUInt16BE(TYPE_A, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt16BE(4, 10);
  Buffer.from(address.split('.').map(Number)).copy(record, 12);
  return record;
}
