/** A certificate with its key, and the authorities it belongs to, as files hold them. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

/** Where a certificate is, and what the settings that say so are called: problems name them. */
export interface CertificateFiles {
  readonly cert: NamedFile;
  readonly key: NamedFile;
  /** The authorities of both sides, where both show a certificate. */
  readonly ca?: NamedFile | undefined;
}

export interface NamedFile {
  /** Such as `TIDEMARK_TLS_CERT_FILE`. */
  readonly setting: string;
  readonly path: string;
}

/** What the files hold, PEM. */
export interface CertificateContent {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
}

/** A certificate that can be used: its key is its own, its authority is among those given, and its time is now. */
export interface Certificate extends CertificateContent {
  /** Common name, or the first alternative name of one that has none. */
  readonly name: string;
  readonly expiresAt: Date;
}

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** What is wrong with the content at that instant, or the certificate. */
export function checkCertificate(
  content: CertificateContent,
  { cert, key, ca }: CertificateFiles,
  now: Date,
): Certificate | string {
  const chain = parseAll(content.cert);
  const leaf = chain?.[0];
  if (!chain || !leaf) return `${cert.setting} names ${cert.path}, which is no certificate in PEM form`;
  const privateKey = parseKey(content.key);
  if (!privateKey)
    return `${key.setting} names ${key.path}, which is no private key in PEM form (an encrypted one cannot be used)`;
  if (!leaf.checkPrivateKey(privateKey))
    return `${key.setting} names ${key.path}, which is not the key of the certificate in ${cert.path}`;
  if (leaf.validToDate <= now)
    return `${cert.setting} names ${cert.path}, which expired on ${leaf.validToDate.toISOString()}: renew it`;
  if (leaf.validFromDate > now)
    return `${cert.setting} names ${cert.path}, which is valid from ${leaf.validFromDate.toISOString()} only: is the clock right?`;
  if (ca && content.ca) {
    const authorities = parseAll(content.ca);
    if (!authorities?.length) return `${ca.setting} names ${ca.path}, which is no certificate in PEM form`;
    if (!leadsTo(leaf, chain, authorities, now))
      return `${cert.setting} names ${cert.path}, which no valid certificate in ${ca.path} has signed`;
  }
  try {
    createSecureContext({ ...content, ca: content.ca });
  } catch (error) {
    return `${cert.setting} names ${cert.path}, which cannot be used: ${error instanceof Error ? error.message : error}`;
  }
  return { ...content, name: nameOf(leaf.toLegacyObject()), expiresAt: leaf.validToDate };
}

/** What a certificate's owner is called: its common name, or else its first alternative name. */
export function nameOf({
  subject,
  subjectaltname,
}: {
  readonly subject?: { readonly CN?: string | string[] | undefined };
  readonly subjectaltname?: string | undefined;
}): string {
  const commonName = [subject?.CN ?? []].flat()[0];
  return commonName ?? subjectaltname?.split(', ')[0]?.replace(/^[A-Za-z ]+:/, '') ?? '';
}

function parseAll(pem: Buffer): X509Certificate[] | undefined {
  try {
    return pem
      .toString('latin1')
      .match(PEM)
      ?.map((one) => new X509Certificate(one));
  } catch {
    return undefined;
  }
}

function parseKey(pem: Buffer): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

/** Whether signatures lead from the leaf over the rest of its file to an authority. */
function leadsTo(
  leaf: X509Certificate,
  chain: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  now: Date,
): boolean {
  const signed = (by: X509Certificate, one: X509Certificate) =>
    one.checkIssued(by) && one.verify(by.publicKey) && by.validFromDate <= now && now < by.validToDate;
  let last = leaf;
  for (let step = 0; step <= chain.length; step += 1) {
    const from = last;
    if (authorities.some((one) => signed(one, from))) return true;
    const next = chain.find((one) => one !== from && signed(one, from));
    if (!next) return false;
    last = next;
  }
  return false;
}
