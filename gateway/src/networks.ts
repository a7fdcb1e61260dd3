import { BlockList, isIP } from 'node:net';

const BITS = { 4: 32, 6: 128 } as const;

/**
 * Whether an address lies in one of `networks`, each an address or `address/bits`.
 *
 * @throws RangeError naming what is neither
 */
export function matcherOf(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address);
    const longest = BITS[family as 4 | 6];
    const length = bits === undefined ? longest : Number(bits);
    if (!longest || !/^\d{0,3}$/.test(bits ?? '') || bits === '' || length > longest)
      throw new RangeError(`${network} is neither an address nor a network such as 10.0.0.0/8`);
    list.addSubnet(address, length, `ipv${family as 4 | 6}`);
  }
  return (address) => {
    const family = isIP(address);
    return networks.length > 0 && family > 0 && list.check(address, `ipv${family as 4 | 6}`);
  };
}
