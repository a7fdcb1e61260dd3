/**
 * Which addresses notifications are sent to. Who may save a receiver must not reach by it what only the host of the scheduler can.
 *
 * N1. Nothing is sent to a loopback, link-local, private or other address that is not of the public internet, unless a setting allows its network.
 * N2. What is connected to is an address that was looked at: a name is resolved once for each send.
 */
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { raceAbort } from '@tidemark/service-kit/abort';
import ipaddr from 'ipaddr.js';

/** A network, such as 10.0.0.0/8. */
export type Network = ReturnType<typeof ipaddr.parseCIDR>;

/** @returns undefined where it is none */
export function toNetwork(text: string): Network | undefined {
  return ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : undefined;
}

/** Of IPv6 nothing else is of the public internet; ::7f00:1 is 127.0.0.1 for some. */
const GLOBAL = ipaddr.parseCIDR('2000::/3');

/** Whether something may be sent to an address. */
export function isAllowed(address: string, networks: readonly Network[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  // An IPv4 address within IPv6 is what it stands for.
  const parsed = ipaddr.process(address);
  if (parsed.range() === 'unicast' && (parsed.kind() === 'ipv4' || parsed.match(GLOBAL))) return true;
  return networks.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits));
}

/** A host cannot be reached, or must not be; the sentence names neither host nor address, which may be a secret. */
export class NoAddress extends Error {
  override name = 'NoAddress';
}

/**
 * The addresses of a host that may be sent to, the best first. Whatever name is asked for, the answer is these: to be given to a connection,
 * which tries one after the other.
 *
 * @param host a name, or an address, an IPv6 one with or without brackets
 * @throws NoAddress where there is none
 */
export async function pinnedLookup(
  host: string,
  networks: readonly Network[],
  signal: AbortSignal,
): Promise<LookupFunction> {
  const bare = host.replace(/^\[|\]$/g, '');
  const family = isIP(bare);
  const all = family === 0 ? await resolve(bare, signal) : [{ address: bare, family }];
  const allowed = all.filter(({ address }) => isAllowed(address, networks));
  const [first] = allowed;
  if (!first)
    throw new NoAddress(
      'Its host is at a local or private address, and TIDEMARK_NOTIFICATION_NETWORKS does not allow it.',
    );
  return (_, options, answer) => {
    if (options.all) answer(null, allowed);
    else answer(null, first.address, first.family);
  };
}

async function resolve(name: string, signal: AbortSignal): Promise<LookupAddress[]> {
  try {
    return await raceAbort(lookup(name, { all: true }), signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new NoAddress('The name of its host cannot be resolved.', { cause: error });
  }
}
