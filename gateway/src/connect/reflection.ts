/** Server reflection (v1, and v1alpha for older tools) of what is served here, and of nothing else. */
import type { DescService, MessageInitShape } from '@bufbuild/protobuf';
import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import { MAX_QUOTED } from '@tidemark/limits/limits';
import { Health } from '@tidemark/protocol/connect/grpc/health/v1/health';
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from '@tidemark/protocol/connect/grpc/reflection/v1/reflection';
import { type DescribedFiles, describeFiles, type IsServed } from '@tidemark/service-kit/grpc/described-files';
import type { TakeStreamSlot } from './stream-slot.ts';
import { untilAborted } from './until-aborted.ts';

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse']>;

/**
 * Both versions are the same on the wire but for the name of the service.
 *
 * @param takeStreamSlot counts in who begins to ask
 */
export function addReflection(
  router: ConnectRouter,
  services: readonly DescService[],
  isServed: IsServed,
  takeStreamSlot: TakeStreamSlot,
): void {
  const served = [...services, Health, ServerReflection];
  let described: DescribedFiles | undefined;
  // When it is first asked for, which it hardly ever is.
  const files = () => {
    described ??= describeFiles(served, isServed);
    return described;
  };
  const describe = (found: Uint8Array[] | undefined, what: string): Answer =>
    found
      ? { case: 'fileDescriptorResponse', value: { fileDescriptorProto: found } }
      : refusal(Code.NotFound, `${what.slice(0, MAX_QUOTED)} is not known here.`);
  const answer = ({ messageRequest }: ServerReflectionRequest): Answer => {
    switch (messageRequest.case) {
      case 'listServices':
        return {
          case: 'listServicesResponse',
          value: { service: served.map(({ typeName }) => ({ name: typeName })) },
        };
      case 'fileByFilename':
        return describe(files().byName(messageRequest.value), messageRequest.value);
      case 'fileContainingSymbol':
        return describe(files().bySymbol(messageRequest.value), messageRequest.value);
      case 'fileContainingExtension':
      case 'allExtensionNumbersOfType':
        return refusal(Code.NotFound, 'There are no extensions here.');
      default:
        return refusal(Code.InvalidArgument, 'The request asks for nothing.');
    }
  };

  router.service(ServerReflection, {
    async *serverReflectionInfo(requests: AsyncIterable<ServerReflectionRequest>, context: HandlerContext) {
      using slot = takeStreamSlot(context);
      for await (const request of untilAborted(requests, AbortSignal.any([context.signal, slot.end])))
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
