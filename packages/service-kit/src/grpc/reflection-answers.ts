import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { status } from '@grpc/grpc-js';
import { readDescriptorSet } from '@tidemark/protocol/descriptor-set';
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from '@tidemark/protocol/grpc/grpc/reflection/v1/reflection';
import { describeFiles } from './described-files.ts';

type Answer = NonNullable<ServerReflectionResponse['messageResponse']>;

/** What reflection answers where services of these names are served. */
export function reflectionAnswers(
  served: readonly string[],
): (request: ServerReflectionRequest) => ServerReflectionResponse {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readDescriptorSet()));
  const files = describeFiles(
    served.flatMap((name) => registry.getService(name) ?? []),
    () => true,
  );
  const told = (found: Uint8Array[] | undefined, what: string): Answer =>
    found
      ? { $case: 'fileDescriptorResponse', value: { fileDescriptorProto: found.map((bytes) => Buffer.from(bytes)) } }
      : refusal(status.NOT_FOUND, `${what.slice(0, 200)} is not known here.`);
  const answer = (asked: ServerReflectionRequest['messageRequest']): Answer => {
    switch (asked?.$case) {
      case 'listServices':
        return { $case: 'listServicesResponse', value: { service: served.map((name) => ({ name })) } };
      case 'fileByFilename':
        return told(files.byName(asked.value), asked.value);
      case 'fileContainingSymbol':
        return told(files.bySymbol(asked.value), asked.value);
      case 'fileContainingExtension':
      case 'allExtensionNumbersOfType':
        return refusal(status.NOT_FOUND, 'There are no extensions here.');
      default:
        return refusal(status.INVALID_ARGUMENT, 'The request asks for nothing.');
    }
  };
  return (request) => ({
    validHost: request.host,
    originalRequest: request,
    messageResponse: answer(request.messageRequest),
  });
}

function refusal(errorCode: number, errorMessage: string): Answer {
  return { $case: 'errorResponse', value: { errorCode, errorMessage } };
}
