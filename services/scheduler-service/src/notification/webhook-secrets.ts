/** What the secrets of a webhook say: its address, where that is one, and by what it is signed. */
import { Webhook } from 'standardwebhooks';
import type { SecretsSource } from './decide/receiver.ts';
import { requireSecret, type Secrets, SecretsTrouble } from './secrets.ts';

/** @throws SecretsTrouble */
export function webhookUrl(
  { url, secrets: source }: { readonly url: string; readonly secrets: SecretsSource | null },
  secrets: Secrets,
): URL {
  const text = url === '' ? requireSecret(secrets, 'WEBHOOK_URL', source) : url;
  const parsed = URL.parse(text);
  if (parsed && ['http:', 'https:'].includes(parsed.protocol)) return parsed;
  throw new SecretsTrouble('Its WEBHOOK_URL is no address that begins with http:// or https://.');
}

/** As the library reads it, which takes any length. */
const WEBHOOK_SECRET = /^(?:whsec_)?(?<key>[A-Za-z0-9+/]+={0,2})$/;

/** @throws SecretsTrouble */
export function signerOf(secret: string): Webhook {
  const { key = '' } = WEBHOOK_SECRET.exec(secret)?.groups ?? {};
  const { length } = Buffer.from(key, 'base64');
  if (length >= 24 && length <= 64) return new Webhook(key);
  throw new SecretsTrouble('Its WEBHOOK_SECRET is none of Standard Webhooks: whsec_ and 24 to 64 bytes in base64.');
}
