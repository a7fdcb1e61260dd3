/** Server reflection (v1, and v1alpha for older tools) of what is served here, and of nothing else. */
import {
  clone,
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import { Health } from '@tidemark/protocol/connect/grpc/health/v1/health';
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from '@tidemark/protocol/connect/grpc/reflection/v1/reflection';
import type { TakePlace } from './stay.ts';
import { untilAborted } from './until-aborted.ts';

/** Whether an RPC of a public service is served. */
export type IsServed = (service: string, method: string) => boolean;

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse']>;

/**
 * Both versions are the same on the wire but for the name of the service.
 *
 * @param takePlace counts in who begins to ask
 */
export function addReflection(
  router: ConnectRouter,
  services: readonly DescService[],
  isServed: IsServed,
  takePlace: TakePlace,
): void {
  const served = [...services, Health, ServerReflection];
  const files = filesOf(served);
  const bytes = new Map([...files].map((file) => [file, toBytes(file, isServed)]));
  const bySymbol = new Map([...files].flatMap((file) => symbolsOf(file, isServed).map((symbol) => [symbol, file])));
  const byName = new Map([...files].map((file) => [file.proto.name, file]));

  const told = (file: DescFile | undefined, what: string): Answer => {
    if (!file) return refusal(Code.NotFound, `${what.slice(0, 200)} is not known here.`);
    const fileDescriptorProto = [...withDependencies(file)].flatMap((one) => bytes.get(one) ?? []);
    return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
  };
  const answer = ({ messageRequest }: ServerReflectionRequest): Answer => {
    switch (messageRequest.case) {
      case 'listServices':
        return {
          case: 'listServicesResponse',
          value: { service: served.map(({ typeName }) => ({ name: typeName })) },
        };
      case 'fileByFilename':
        return told(byName.get(messageRequest.value), messageRequest.value);
      case 'fileContainingSymbol':
        return told(bySymbol.get(messageRequest.value.replace(/^\./, '')), messageRequest.value);
      case 'fileContainingExtension':
      case 'allExtensionNumbersOfType':
        return refusal(Code.NotFound, 'There are no extensions here.');
      default:
        return refusal(Code.InvalidArgument, 'The request asks for nothing.');
    }
  };

  router.service(ServerReflection, {
    async *serverReflectionInfo(requests: AsyncIterable<ServerReflectionRequest>, context: HandlerContext) {
      using stay = takePlace(context);
      for await (const request of untilAborted(requests, AbortSignal.any([context.signal, stay.end])))
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

function filesOf(services: readonly DescService[]): Set<DescFile> {
  return new Set(services.flatMap(({ file }) => [...withDependencies(file)]));
}

function withDependencies(file: DescFile, found = new Set<DescFile>()): Set<DescFile> {
  if (found.has(file)) return found;
  found.add(file);
  for (const dependency of file.dependencies) withDependencies(dependency, found);
  return found;
}

function toBytes(file: DescFile, isServed: IsServed): Uint8Array {
  const proto = clone(FileDescriptorProtoSchema, file.proto);
  for (const service of proto.service) {
    const name = `${proto.package}.${service.name}`;
    service.method = service.method.filter((method) => isServed(name, method.name));
  }
  return toBinary(FileDescriptorProtoSchema, proto);
}

function symbolsOf({ services, messages, enums, extensions }: DescFile, isServed: IsServed): string[] {
  return [
    ...services.flatMap(({ typeName, methods }) => [
      typeName,
      ...methods.filter(({ name }) => isServed(typeName, name)).map(({ name }) => `${typeName}.${name}`),
    ]),
    ...messages.flatMap(symbolsOfMessage),
    ...[...enums, ...extensions].map(({ typeName }: DescEnum | DescExtension) => typeName),
  ];
}

function symbolsOfMessage({ typeName, nestedMessages, nestedEnums, fields }: DescMessage): string[] {
  return [
    typeName,
    ...fields.map(({ name }) => `${typeName}.${name}`),
    ...nestedMessages.flatMap(symbolsOfMessage),
    ...nestedEnums.map((nested) => nested.typeName),
  ];
}
