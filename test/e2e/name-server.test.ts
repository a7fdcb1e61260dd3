import { Resolver } from 'node:dns/promises';
import { describe, expect, it } from 'vitest';
import { answerTo, startNameServer } from './name-server.ts';

async function ask(server: { readonly address: string }) {
  const resolver = new Resolver({ tries: 1, timeout: 2_000 });
  resolver.setServers([server.address]);
  return resolver;
}

describe('a name server', () => {
  it('answers with the addresses behind a name, and knows no others', async () => {
    await using server = await startNameServer(
      (name) => (name === 'backup-service' ? ['127.1.0.2', '127.1.0.3'] : undefined),
      0,
    );
    const resolver = await ask(server);
    expect(await resolver.resolve4('backup-service')).toEqual(['127.1.0.2', '127.1.0.3']);
    await expect(resolver.resolve6('backup-service')).rejects.toMatchObject({ code: 'ENODATA' });
    await expect(resolver.resolve4('gateway')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  it('answers for a while as it did before', async () => {
    let addresses = ['127.1.0.2'];
    await using server = await startNameServer(() => addresses, 600_000);
    const resolver = await ask(server);
    expect(await resolver.resolve4('backup-service')).toEqual(['127.1.0.2']);
    addresses = ['127.1.0.3'];
    expect(await resolver.resolve4('backup-service')).toEqual(['127.1.0.2']);
  });

  it('leaves what is no question alone', () => {
    const find = () => ['127.1.0.2'];
    const header = Buffer.from('abcd01000001000000000000', 'hex');
    for (const rest of ['', '05', '0561', '0161', 'ff', '01610000', 'c00c'])
      expect(answerTo(Buffer.concat([header, Buffer.from(rest, 'hex')]), find)).toBeUndefined();
    expect(answerTo(Buffer.alloc(3), find)).toBeUndefined();
  });
});
