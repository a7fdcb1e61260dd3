/** The secrets that a receiver names: the variables of this process behind a prefix, or a file beside it. */
import { parseEnv } from 'node:util';
import { MAX_SECRET_FILE_BYTES } from '@tidemark/limits/limits';
import type { Env } from '@tidemark/service-kit/env';
import { mustBe, secretsFolder, useFile } from '@tidemark/storage/secret-file';
import type { SecretsSource } from './decide/receiver.ts';

const NAMES = ['WEBHOOK_URL', 'WEBHOOK_SECRET', 'SMTP_USER', 'SMTP_PASSWORD'] as const;
export type SecretName = (typeof NAMES)[number];
export type Secrets = { readonly [Name in SecretName]?: string };

/** Secrets cannot be used, or what is needed is not among them. The sentence names variables and files, and never a value. */
export class SecretsTrouble extends Error {
  override name = 'SecretsTrouble';
}

/** @throws SecretsTrouble */
export async function readSecrets(source: SecretsSource | null, env: Env, signal: AbortSignal): Promise<Secrets> {
  if (source === null) return {};
  if (source.kind === 'envPrefix') return pick((name) => env[source.prefix + name]);
  const rules = { folder: secretsFolder(env), maxBytes: MAX_SECRET_FILE_BYTES, readers: 'worker' as const };
  const must = `${mustBe(rules)} and holds lines NAME=value of ${NAMES.join(', ')}`;
  try {
    return await useFile(source.file, { ...rules, must }, signal, (content) => {
      const variables = parseEnv(content.toString('utf8'));
      const found = pick((name) => variables[name]);
      return Object.keys(found).length > 0 ? found : undefined;
    });
  } catch (error) {
    signal.throwIfAborted();
    throw new SecretsTrouble(
      `The file of its secrets cannot be used: scheduler-service reads it there, and it ${must}.`,
      {
        cause: error,
      },
    );
  }
}

/** The secret of a name. @throws SecretsTrouble where it is not there */
export function requireSecret(secrets: Secrets, name: SecretName, source: SecretsSource | null): string {
  const found = secrets[name];
  if (found !== undefined) return found;
  if (source === null) throw new SecretsTrouble(`It names no secrets, and ${name} is one that it needs.`);
  const where =
    source.kind === 'file'
      ? `the file ${source.file} has no ${name}`
      : `scheduler-service has no ${source.prefix}${name}`;
  throw new SecretsTrouble(`A secret is missing: ${where}.`);
}

function pick(found: (name: SecretName) => string | undefined): Secrets {
  return Object.fromEntries(
    NAMES.flatMap((name) => {
      const value = found(name)?.trim();
      return value ? [[name, value]] : [];
    }),
  );
}
