/** Asks whoever empties the target of a drill to do so: a signed POST, with the guards of notifications. */
import { MAX_DELIVERY_TROUBLE } from '@tidemark/limits/limits';
import type { Env } from '@tidemark/service-kit/env';
import type { Network } from '../notification/addresses.ts';
import { post } from '../notification/http-post.ts';
import { readSecrets, requireSecret } from '../notification/secrets.ts';
import { NotTaken, troubleOf } from '../notification/send-trouble.ts';
import { signerOf, webhookUrl } from '../notification/webhook-secrets.ts';
import type { EmptyHook } from './decide/drill.ts';
import type { DrillRun } from './decide/run.ts';

export interface HookDependencies {
  /** Local and private networks that may be sent to. */
  readonly networks: readonly Network[];
  /** Of this process: where secrets are. */
  readonly env: Env;
  readonly now: () => Date;
}

/** What the hook says: the target is empty, or that is under way, or what is wrong, in a sentence. */
export type HookAnswer = { readonly kind: 'empty' | 'at work' } | { readonly kind: 'failed'; readonly trouble: string };

const HOOK_MS = 20_000;

/**
 * Asks once; it ends in 20 s.
 *
 * @param notAfter is told with it: whoever gets it later must not empty anything, for a restore may have begun (DR3)
 * @throws the reason of the signal where that aborts
 */
export async function askToEmpty(
  hook: EmptyHook,
  { _id: runId, clusterId, targetClusterId }: Pick<DrillRun, '_id' | 'clusterId' | 'targetClusterId'>,
  notAfter: Date,
  { networks, env, now }: HookDependencies,
  signal: AbortSignal,
): Promise<HookAnswer> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(HOOK_MS)]);
  try {
    const secrets = await readSecrets(hook.secrets, env, within);
    const at = now();
    if (at > notAfter) throw new NotTaken('It could not be asked in time.');
    const body = JSON.stringify({
      type: 'drill.empty',
      timestamp: at.toISOString(),
      data: { runId, clusterId, targetClusterId, notAfter: notAfter.toISOString() },
    });
    const signature = signerOf(requireSecret(secrets, 'WEBHOOK_SECRET', hook.secrets)).sign(runId, at, body);
    const headers = {
      'content-type': 'application/json',
      'webhook-id': runId,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': signature,
    };
    const status = await post({ url: webhookUrl(hook, secrets), headers, body }, networks, within);
    if (status === 202) return { kind: 'at work' };
    if (status === 200 || status === 204) return { kind: 'empty' };
    throw new NotTaken(`It answered ${status}.`);
  } catch (error) {
    signal.throwIfAborted();
    return { kind: 'failed', trouble: troubleOf(error, within, HOOK_MS).slice(0, MAX_DELIVERY_TROUBLE) };
  }
}
