import { isIPv6, type Server, type Socket } from 'node:net';
import type { Limits } from './limits.ts';
import { refused } from './refused.ts';

const GROUPS = 8;
const OF_A_NETWORK = 4;

/** What counts as one address: that of IPv4, and the /64 of IPv6, of which one host has them all. */
export function addressKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail = ''] = (address.split('%')[0] ?? '').split('::');
  const groups = (text: string) => text.split(':').filter(Boolean);
  const zeros = Math.max(0, GROUPS - groups(head).length - groups(tail).length);
  const all = [...groups(head), ...Array.from({ length: zeros }, () => '0'), ...groups(tail)];
  return all
    .slice(0, OF_A_NETWORK)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

/**
 * Bounds the connections of a server, in total and of each address; those beyond are closed at once, before anything of
 * them is read.
 *
 * @param trusted addresses of proxies, behind which everybody has the same address
 */
export function boundConnections(
  server: Server,
  { connections, connectionsPerAddress }: Limits,
  trusted: (address: string) => boolean,
): void {
  const open = new Map<string, number>();
  server.maxConnections = connections;
  server.on('drop', () => refused.inc({ reason: 'connections' }));
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    if (trusted(address)) return;
    const key = addressKey(address);
    const count = open.get(key) ?? 0;
    if (count >= connectionsPerAddress) {
      refused.inc({ reason: 'connections of one address' });
      socket.destroy();
      return;
    }
    open.set(key, count + 1);
    socket.once('close', () => {
      const left = (open.get(key) ?? 1) - 1;
      if (left > 0) open.set(key, left);
      else open.delete(key);
    });
  });
}
