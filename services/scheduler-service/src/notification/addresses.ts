/**
 * Which addresses notifications are sent to. Who may save a receiver must not reach by it what only the host of the scheduler can.
 *
 * N1. Nothing is sent to a loopback, link-local, private or other address that is not of the public internet, unless a setting allows its network.
 * N2. What is connected to is the address that was looked at: a name is resolved once for each send.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { raceAbort } from '@tidemark/service-kit/abort';
import ipaddr from 'ipaddr.js';

/** A network, such as 10.0.0.0/8. */
export type Network = ReturnType<typeof ipaddr.parseCIDR>;

/** @returns undefined where it is none */
export function toNetwork(text: string): Network | undefined {
  return ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : undefined;
}

/** Whether something may be sent to an address. */
export function isAllowed(address: string, networks: readonly Network[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  // An IPv4 address within IPv6 is what it stands for.
  const parsed = ipaddr.process(address);
  if (parsed.range() === 'unicast') return true;
  return networks.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits));
}

/** An address to connect to. */
export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** A host cannot be reached, or must not be; the sentence names neither host nor address, which may be a secret. */
export class NoAddress extends Error {
  override name = 'NoAddress';
}

/**
 * The address of a host that may be sent to.
 *
 * @param host a name, or an address, an IPv6 one with or without brackets
 * @throws NoAddress
 */
export async function addressOf(host: string, networks: readonly Network[], signal: AbortSignal): Promise<Address> {
  const bare = host.replace(/^\[|\]$/g, '');
  const all = isIP(bare) === 0 ? await resolve(bare, signal) : [bare];
  const address = all.find((one) => isAllowed(one, networks));
  if (address === undefined)
    throw new NoAddress(
      'Its host is at a local or private address, and TIDEMARK_NOTIFICATION_NETWORKS does not allow it.',
    );
  return { address, family: isIP(address) === 6 ? 6 : 4 };
}

async function resolve(name: string, signal: AbortSignal): Promise<string[]> {
  try {
    const found = await raceAbort(lookup(name, { all: true }), signal);
    return found.map(({ address }) => address);
  } catch (error) {
    signal.throwIfAborted();
    throw new NoAddress('The name of its host cannot be resolved.', { cause: error });
  }
}
