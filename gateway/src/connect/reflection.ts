/** Server reflection (v1, and v1alpha for older tools) of what is served here, and of nothing else. */
import type { DescService, MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import { Health } from '@tidemark/protocol/connect/grpc/health/v1/health';
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from '@tidemark/protocol/connect/grpc/reflection/v1/reflection';
import { type DescribedFiles, describeFiles, type IsServed } from '@tidemark/service-kit/grpc/described-files';

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse']>;

/** Both versions are the same on the wire but for the name of the service. */
export function addReflection(
  router: ConnectRouter,
  services: readonly DescService[],
  stopping: AbortSignal,
  isServed: IsServed,
): void {
  const served = [...services, Health, ServerReflection];
  let described: DescribedFiles | undefined;
  // When it is first asked for, which it hardly ever is.
  const files = () => {
    described ??= describeFiles(served, isServed);
    return described;
  };
  const told = (found: Uint8Array[] | undefined, what: string): Answer =>
    found
      ? { case: 'fileDescriptorResponse', value: { fileDescriptorProto: found } }
      : refusal(Code.NotFound, `${what.slice(0, 200)} is not known here.`);
  const answer = ({ messageRequest }: ServerReflectionRequest): Answer => {
    switch (messageRequest.case) {
      case 'listServices':
        return {
          case: 'listServicesResponse',
          value: { service: served.map(({ typeName }) => ({ name: typeName })) },
        };
      case 'fileByFilename':
        return told(files().byName(messageRequest.value), messageRequest.value);
      case 'fileContainingSymbol':
        return told(files().bySymbol(messageRequest.value), messageRequest.value);
      case 'fileContainingExtension':
      case 'allExtensionNumbersOfType':
        return refusal(Code.NotFound, 'There are no extensions here.');
      default:
        return refusal(Code.InvalidArgument, 'The request asks for nothing.');
    }
  };

  router.service(ServerReflection, {
    async *serverReflectionInfo(requests: AsyncIterable<ServerReflectionRequest>, { signal }: HandlerContext) {
      for await (const request of untilAborted(requests, AbortSignal.any([signal, stopping])))
        yield { validHost: request.host, originalRequest: request, messageResponse: answer(request) };
    },
  });
  const v1 = router.handlers.at(-1);
  if (!v1) return;
  const requestPath = v1.requestPath.replace('.v1.', '.v1alpha.');
  router.handlers.push(Object.assign((request: Parameters<typeof v1>[0]) => v1(request), v1, { requestPath }));
}

function refusal(errorCode: Code, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}

/** What a client asks, until it has no more to ask or nobody is there to answer. */
async function* untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => undefined); // nobody may be waiting for it
  const end = () => reject(new ConnectError('The gateway is stopping; call again.', Code.Unavailable));
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', end);
  }
}
