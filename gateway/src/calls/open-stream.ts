import { create } from '@bufbuild/protobuf';
import type { CallOptions } from '@connectrpc/connect';
import type { CallName } from '@tidemark/contract/calls';
import { methodOf, type Send, senderOf } from '../backends.ts';
import type { Prepared } from './perform.ts';
import type { CallDependencies } from './scope.ts';
import type { ResponseOf } from './steps.ts';

/** The messages of a stream. A caller who sees no cluster is told so once; then it is quiet until the signal of the call aborts. */
export function openStream<Name extends CallName>(
  name: Name,
  { request, steps, seesNothing }: Pick<Prepared<Name>, 'request' | 'steps' | 'seesNothing'>,
  { backends }: Pick<CallDependencies, 'backends'>,
  options: CallOptions & { readonly signal: AbortSignal },
): AsyncIterable<ResponseOf<Name>> {
  if (seesNothing) return ofNothing(name, steps, options.signal);
  return (senderOf(backends, name) as Send<AsyncIterable<ResponseOf<Name>>>)(request, options);
}

async function* ofNothing<Name extends CallName>(
  name: Name,
  { ofNothing }: Prepared<Name>['steps'],
  signal: AbortSignal,
): AsyncGenerator<ResponseOf<Name>> {
  yield ofNothing?.() ?? (create(methodOf(name).output) as ResponseOf<Name>);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  throw signal.reason;
}
