/** What server reflection describes: the protobuf files of some services, with all that these need. */
import {
  clone,
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  toBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

/** Whether an RPC is described. */
export type IsServed = (service: string, method: string) => boolean;

/** Each answers a file and all that it needs, as bytes of `FileDescriptorProto`; `undefined` for what is not known. */
export interface DescribedFiles {
  byName(name: string): Uint8Array[] | undefined;
  /** Of a service, method, message, field, enum or extension by its full name. */
  bySymbol(symbol: string): Uint8Array[] | undefined;
}

export function describeFiles(services: readonly DescService[], isServed: IsServed): DescribedFiles {
  const files = new Set(services.flatMap(({ file }) => [...withDependencies(file)]));
  const bytes = new Map([...files].map((file) => [file, toBytes(file, isServed)]));
  const symbols = new Map([...files].flatMap((file) => symbolsOf(file, isServed).map((symbol) => [symbol, file])));
  const names = new Map([...files].map((file) => [file.proto.name, file]));
  const withBytes = (file: DescFile | undefined) =>
    file && [...withDependencies(file)].flatMap((one) => bytes.get(one) ?? []);
  return {
    byName: (name) => withBytes(names.get(name)),
    bySymbol: (symbol) => withBytes(symbols.get(symbol.replace(/^\./, ''))),
  };
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
