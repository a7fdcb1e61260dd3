import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { configReader } from './env.ts';
import { createLogger, type Logger } from './logging.ts';
import { renderMetrics } from './metrics.ts';
import { type TestAuthority, testAuthority, tlsSettings, writeCertificate } from './testing/certificates.ts';
import { keyWarning, readCertificateSetting, watchCertificate } from './watched-certificate.ts';

let folder: string;
let authority: TestAuthority;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-certificates-'));
  authority = await testAuthority();
});
afterEach(() => rmSync(folder, { recursive: true }));

const read = (env: Record<string, string>) => {
  const reader = configReader(env);
  const setting = readCertificateSetting(reader, 'TIDEMARK_TLS', { mutual: true });
  reader.finish();
  return setting;
};
const written = async (options: Partial<Parameters<TestAuthority['sign']>[0]> = {}) =>
  writeCertificate(folder, 'mine', {
    ...(await authority.sign({ names: ['localhost'], ...options })),
    ca: authority.ca,
  });

describe('the settings of a certificate', () => {
  it('may be left out', () => expect(read({})).toBeUndefined());

  it('give the certificate with its name and its end', async () => {
    const notAfter = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000);
    const setting = read(tlsSettings(await written({ commonName: 'backup-service', notAfter })));
    expect(setting?.certificate).toMatchObject({ name: 'backup-service', expiresAt: notAfter });
  });

  it('go together', async () => {
    const { certFile } = await written();
    expect(() => read({ TIDEMARK_TLS_CERT_FILE: certFile })).toThrow(
      /go together: TIDEMARK_TLS_KEY_FILE, TIDEMARK_TLS_CA_FILE must be set too/,
    );
  });

  it('name every file that cannot be read', () =>
    expect(() => read(tlsSettings({ certFile: '/no/a', keyFile: '/no/b', caFile: '/no/c' }))).toThrow(
      /CERT_FILE names \/no\/a.*ENOENT.*KEY_FILE names \/no\/b.*ENOENT.*CA_FILE names \/no\/c.*ENOENT/,
    ));

  it.each([
    ['certFile', 'CERT_FILE names .* is no certificate in PEM form'],
    ['keyFile', 'KEY_FILE names .* is no private key in PEM form'],
    ['caFile', 'CA_FILE names .* is no certificate in PEM form'],
  ] as const)('refuse a %s that holds something else', async (file, problem) => {
    const files = await written();
    writeFileSync(files[file], 'hello');
    expect(() => read(tlsSettings(files))).toThrow(new RegExp(problem));
  });

  it('refuse a key that is not that of the certificate', async () => {
    const files = await written();
    const { key } = await authority.sign({ names: ['other'] });
    writeFileSync(files.keyFile, key);
    expect(() => read(tlsSettings(files))).toThrow(/KEY_FILE names .* is not the key of the certificate/);
  });

  it('refuse one that has expired, or whose time has not come', async () => {
    const day = (days: number) => new Date(Date.now() + days * 86_400_000);
    const expired = await written({ notBefore: day(-2), notAfter: day(-1) });
    expect(() => read(tlsSettings(expired))).toThrow(/which expired on 20.*: renew it/);
    const early = await written({ notBefore: day(1), notAfter: day(2) });
    expect(() => read(tlsSettings(early))).toThrow(/valid from 20.* is the clock right/);
  });

  it('refuse one that another authority has signed', async () => {
    const files = await written();
    writeFileSync(files.caFile, (await testAuthority()).ca);
    expect(() => read(tlsSettings(files))).toThrow(/no valid certificate in .* has signed/);
  });

  it('take several authorities, such as the old and the new one', async () => {
    const files = await written();
    writeFileSync(files.caFile, `${(await testAuthority()).ca}\n${authority.ca}`);
    expect(read(tlsSettings(files))?.certificate.name).toBe('localhost');
  });

  it('warn of a key that everybody on the machine can read', async () => {
    const files = await written();
    const setting = read(tlsSettings(files));
    expect(setting && keyWarning(setting.files)).toBeUndefined();
    chmodSync(files.keyFile, 0o644);
    expect(setting && keyWarning(setting.files)).toMatch(/everybody on this machine can read \(mode 644\)/);
  });
});

describe('a certificate that is renewed', () => {
  const warned: string[] = [];
  const log: Logger = { ...createLogger('test'), info: () => undefined, warn: (_, text) => void warned.push(text) };
  const watch = async (notAfter: Date) => {
    const setting = read(tlsSettings(await written({ notAfter })));
    if (!setting) throw new Error('not set');
    return watchCertificate(setting, { log, everyMs: 20 });
  };
  const now = Math.ceil(Date.now() / 1000) * 1000; // certificates count in seconds
  const hour = (hours: number) => new Date(now + hours * 3_600_000);

  it('is taken into use when both files are there, and not before; the half of it is told once', async () => {
    warned.length = 0;
    using certificate = await watch(hour(1));
    const renewed = vi.fn();
    certificate.onRenewed(renewed);
    const { cert, key } = await authority.sign({ names: ['localhost'], notAfter: hour(2) });
    writeCertificate(folder, 'mine', { cert });
    await vi.waitFor(() => expect(warned).toHaveLength(1));
    expect(warned[0]).toMatch(/is not the key of the certificate in .*; the one in use stays in use/);
    expect(certificate.current.expiresAt).toEqual(hour(1));
    writeCertificate(folder, 'mine', { key });
    await vi.waitFor(() => expect(renewed).toHaveBeenCalledOnce());
    expect(certificate.current).toMatchObject({ expiresAt: hour(2), key: Buffer.from(key) });
    expect(warned).toHaveLength(1);
    expect((await renderMetrics()).body).toContain(
      `tidemark_certificate_expiry_timestamp_seconds{file="${join(folder, 'mine.crt')}"} ${hour(2).getTime() / 1000}`,
    );
  });

  it('is told of once when it has expired and none came', async () => {
    const told: string[] = [];
    const setting = read(tlsSettings(await written({ notAfter: new Date(Date.now() + 4_000) })));
    if (!setting) throw new Error('not set');
    using _ = watchCertificate(setting, { log: { ...log, error: (__, text) => void told.push(text) }, everyMs: 20 });
    await vi.waitFor(() => expect(told).toEqual([expect.stringContaining('has expired')]), { timeout: 20_000 });
  });

  it('stays in use while its file is gone or spoilt, and the next good one is taken', async () => {
    warned.length = 0;
    using certificate = await watch(hour(1));
    rmSync(join(folder, 'mine.crt'));
    await vi.waitFor(() => expect(warned).toEqual([expect.stringContaining('ENOENT')]));
    writeFileSync(join(folder, 'mine.crt'), '-----BEGIN CERTIFICATE-----\n');
    await vi.waitFor(() => expect(warned).toHaveLength(2));
    expect(certificate.current.expiresAt).toEqual(hour(1));
    writeCertificate(folder, 'mine', await authority.sign({ names: ['localhost'], notAfter: hour(3) }));
    await vi.waitFor(() => expect(certificate.current.expiresAt).toEqual(hour(3)));
  });
});
