import { describe, expect, it } from 'vitest';
import { isAllowed, type Network, pinnedLookup, toNetwork } from './addresses.ts';

const network = (text: string): Network => {
  const found = toNetwork(text);
  if (!found) throw new Error(`${text} is no network`);
  return found;
};
const signal = AbortSignal.timeout(10_000);

describe('an address', () => {
  it.each(['93.184.216.34', '2606:2800:220:1:248:1893:25c8:1946'])('of the internet is allowed: %s', (address) => {
    expect(isAllowed(address, [])).toBe(true);
  });

  it.each([
    '127.0.0.1',
    '127.8.8.8',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fd00::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::127.0.0.1',
    '::7f00:1',
    'fe80::1%eth0',
    'fec0::1',
    '4000::1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::7f00:1',
    '2002:7f00:1::',
    'no address',
  ])('that is not is refused: %s', (address) => {
    expect(isAllowed(address, [])).toBe(false);
  });

  it('is allowed where a setting allows its network, and no other', () => {
    const networks = [network('10.0.0.0/8'), network('fd00::/8')];
    expect(isAllowed('10.1.2.3', networks)).toBe(true);
    expect(isAllowed('::ffff:10.1.2.3', networks)).toBe(true);
    expect(isAllowed('fd00::1', networks)).toBe(true);
    expect(isAllowed('192.168.1.1', networks)).toBe(false);
    expect(toNetwork('10.0.0.0/33')).toBeUndefined();
    expect(toNetwork('example.com')).toBeUndefined();
  });
});

describe('a host', () => {
  const found = async (host: string, networks: readonly Network[], options = { all: true }) => {
    const lookup = await pinnedLookup(host, networks, signal);
    return await new Promise((resolve) => lookup('whatever.example.com', options, (_, ...answer) => resolve(answer)));
  };

  it('is refused by where its name leads, and the sentence does not name it', async () => {
    const refused = found('localhost', []);
    await expect(refused).rejects.toThrow('local or private address');
    await expect(refused).rejects.not.toThrow('localhost');
    await expect(found('[::1]', [])).rejects.toThrow('local or private address');
    await expect(found('127.0.0.1', [])).rejects.toThrow('local or private address');
    await expect(found('2130706433', [])).rejects.toThrow('local or private address');
  });

  it('has the addresses that were looked at and allowed, whatever name is asked for later', async () => {
    const here = [network('127.0.0.0/8')];
    expect(await found('localhost', here)).toEqual([[{ address: '127.0.0.1', family: 4 }]]);
    expect(await found('localhost', here, { all: false })).toEqual(['127.0.0.1', 4]);
    expect(await found('[::1]', [network('::1/128')])).toEqual([[{ address: '::1', family: 6 }]]);
  });

  it('that has no name is told without it', async () => {
    await expect(found('nowhere.invalid', [])).rejects.toThrow('cannot be resolved');
  });
});
