/** Real certificates for tests: authorities, and what they sign. */
import 'reflect-metadata'; // @peculiar/x509 needs it before itself
import { randomBytes, webcrypto } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface SignOptions {
  /** Names that it is called by; its common name is the first, unless `commonName` says another. */
  readonly names: readonly string[];
  readonly commonName?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export interface TestAuthority {
  /** PEM. */
  readonly ca: string;
  sign(options: SignOptions): Promise<TestCertificate>;
}

/** A new authority, unknown to everybody. */
export async function testAuthority(name = 'Tidemark test authority'): Promise<TestAuthority> {
  const keys = await newKeys();
  const issuer = `CN=${name}`;
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: issuer,
    ...lifetime({}),
    signingAlgorithm: EC,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
    ],
  });
  return {
    ca: root.toString('pem'),
    async sign(options) {
      const own = await newKeys();
      const { names } = options;
      const certificate = await X509CertificateGenerator.create({
        serialNumber: serial(),
        subject: `CN=${options.commonName ?? names[0]}`,
        issuer,
        ...lifetime(options),
        signingAlgorithm: EC,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new SubjectAlternativeNameExtension(
            names.map((value) => ({ type: /^[\d.]+$/.test(value) ? ('ip' as const) : ('dns' as const), value })),
          ),
        ],
      });
      return { cert: certificate.toString('pem'), key: await privateKeyPem(own.privateKey) };
    },
  };
}

export interface WrittenCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}

/** Puts a certificate into a folder, each file by rename; one that is left out stays as it is. */
export function writeCertificate(
  folder: string,
  name: string,
  { cert, key, ca }: Partial<TestCertificate> & { readonly ca?: string },
): WrittenCertificate {
  const files = { certFile: `${name}.crt`, keyFile: `${name}.key`, caFile: `${name}-ca.crt` };
  for (const [file, content] of [
    [files.certFile, cert],
    [files.keyFile, key],
    [files.caFile, ca],
  ] as const) {
    if (content === undefined) continue;
    writeFileSync(join(folder, `${file}.new`), content, { mode: 0o600 });
    renameSync(join(folder, `${file}.new`), join(folder, file));
  }
  return {
    certFile: join(folder, files.certFile),
    keyFile: join(folder, files.keyFile),
    caFile: join(folder, files.caFile),
  };
}

/** The settings of a process that uses it. */
export function tlsSettings({ certFile, keyFile, caFile }: WrittenCertificate): Record<string, string> {
  return { TIDEMARK_TLS_CERT_FILE: certFile, TIDEMARK_TLS_KEY_FILE: keyFile, TIDEMARK_TLS_CA_FILE: caFile };
}

const newKeys = () => webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);
const serial = () => randomBytes(8).toString('hex');

function lifetime({ notBefore, notAfter }: Partial<SignOptions>): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: notBefore ?? new Date(Date.now() - 3_600_000),
    notAfter: notAfter ?? new Date(Date.now() + DAY_MS),
  };
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const base64 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${base64.match(/.{1,64}/g)?.join('\n')}\n-----END PRIVATE KEY-----\n`;
}
