/**
 * `node write-contract.ts IMAGE FILE`: writes what the options in proto/ say as plain data (`npm run generate`), and takes them
 * out of the image. Reading them from descriptors in each process would cost it 7 MB.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import {
  createFileRegistry,
  type DescExtension,
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  getOption,
  hasOption,
  type Message,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  FeatureSet_FieldPresence,
  FileDescriptorSetSchema,
  MethodOptions_IdempotencyLevel,
} from '@bufbuild/protobuf/wkt';

const OPTIONS = 'tidemark.options.v1';
const [, , image = '', file = ''] = process.argv;
const set = fromBinary(FileDescriptorSetSchema, readFileSync(image));
const registry = createFileRegistry(set);
const services = [...registry].filter(
  (type): type is DescService => type.kind === 'service' && type.typeName.startsWith('tidemark.'),
);

interface CallOption {
  readonly role: number;
  readonly subject: number;
  readonly subjectField: string;
  readonly audit: string;
  readonly answerSeconds: number;
  readonly internal: string;
}

function extension(name: string): DescExtension {
  const found = registry.getExtension(`${OPTIONS}.${name}`);
  if (!found) throw new Error(`${image} has no option ${name}`);
  return found;
}

const CALL = extension('call');
const RULES = extension('rules');
const INTERNAL_SERVICE = extension('internal_service');

/** Such as "own clusters" of SUBJECT_OWN_CLUSTERS; nothing for the unspecified value. */
function word(name: 'Role' | 'Subject', value: number): string | undefined {
  const found = registry.getEnum(`${OPTIONS}.${name}`)?.value[value];
  return value === 0 ? undefined : found?.localName.toLowerCase().replaceAll('_', ' ');
}

const methods: Record<string, object> = {};
const calls: Record<string, object> = {};
const messages: Record<string, object> = {};

for (const service of services)
  for (const method of service.methods) {
    const fullName = `${service.typeName}/${method.name}`;
    const internal = hasOption(service, INTERNAL_SERVICE)
      ? `for ${getOption(service, INTERNAL_SERVICE)}`
      : callOf(method).internal;
    const isRepeatable = method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
    methods[fullName] = {
      request: method.input.typeName,
      repeatable: isRepeatable,
      ...(internal !== '' && { internal }),
    };
    rulesOf(method.input);
    if (internal === '') calls[method.localName] = publicCall(fullName, method);
  }

function callOf(method: DescMethod): CallOption {
  if (hasOption(method, CALL)) return getOption(method, CALL) as CallOption & MessageShape<DescMessage>;
  throw new Error(`${method.parent.typeName}/${method.name} does not say who may call it: set ${OPTIONS}.call`);
}

function publicCall(fullName: string, method: DescMethod): object {
  const { role, subject, subjectField, audit, answerSeconds } = callOf(method);
  if (role === 0 || subject === 0)
    throw new Error(`${fullName} needs a role and a subject, or a reason to be internal`);
  if (method.localName in calls) throw new Error(`${fullName} has the name of another call`);
  return {
    method: fullName,
    request: method.input.typeName,
    role: word('Role', role),
    subject: word('Subject', subject),
    ...(subjectField !== '' && { field: fieldPath(method.input, subjectField) }),
    ...(audit !== '' && { audit }),
    ...(answerSeconds > 0 && { answerMs: answerSeconds * 1000 }),
  };
}

/** Such as "cluster.id", in the names of JSON. */
function fieldPath(message: DescMessage, path: string): string {
  const [name, ...rest] = path.split('.');
  const field = message.fields.find((one) => one.name === name);
  if (!field) throw new Error(`${message.typeName} has no field ${path}`);
  return rest.length === 0
    ? field.jsonName
    : `${field.jsonName}.${fieldPath(field.message as DescMessage, rest.join('.'))}`;
}

/** Adds the rules of a message and of those within it. @returns whether it has any */
function rulesOf(message: DescMessage, above: readonly string[] = []): boolean {
  if (message.typeName in messages) return true;
  if (above.includes(message.typeName)) throw new Error(`${message.typeName} holds itself: no rules can be kept there`);
  const fields = message.fields.flatMap((field) => {
    const own = ownRules(field);
    const inner =
      field.message && rulesOf(field.message, [...above, message.typeName]) ? field.message.typeName : undefined;
    if (!own && !inner) return [];
    if (field.fieldKind === 'map' || field.oneof)
      throw new Error(`${message.typeName}.${field.name}: rules of a map or of a choice are not supported`);
    return [[field.localName, { ...own, ...(inner && { message: inner }) }]];
  });
  if (fields.length > 0) messages[message.typeName] = Object.fromEntries(fields);
  return fields.length > 0;
}

function ownRules(field: DescField): object | undefined {
  if (!hasOption(field, RULES)) return undefined;
  const {
    $typeName: _,
    $unknown: __,
    role,
    min,
    max,
    ...rules
  } = getOption(field, RULES) as MessageShape<DescMessage> & {
    role: number;
    min?: bigint;
    max?: bigint;
  };
  return {
    ...Object.fromEntries(Object.entries(rules).filter(([, value]) => Boolean(value))),
    ...(max !== undefined && { min: Number(min ?? 0n), max: Number(max) }),
    ...(role > 0 && { role: word('Role', role) }),
    // Where a zero is not the same as nothing.
    ...(field.presence === FeatureSet_FieldPresence.EXPLICIT && field.fieldKind === 'scalar' && { optional: true }),
  };
}

const table = (name: string, what: string, entries: object) =>
  `/** ${what} */\nexport const ${name} = ${JSON.stringify(entries, null, 2)} as const;\n`;
writeFileSync(
  file,
  [
    '// @generated by packages/contract/src/write-contract.ts from the options in proto/',
    '/* eslint-disable */\n',
    table('CALLS', 'The calls that people may make, by their names in clients.', calls),
    table('METHODS', 'Every method of every service, by its full name.', methods),
    table('MESSAGES', 'The rules of the fields of requests, and of the messages in them.', messages),
  ].join('\n'),
);

const OPTIONS_FILE = 'tidemark/options/v1/options.proto';
const withoutOptions = set.file
  .filter(({ name }) => name !== OPTIONS_FILE && name !== 'google/protobuf/descriptor.proto')
  .map((one) => {
    const fields = one.messageType.flatMap(({ field }) => field);
    const methods = one.service.flatMap(({ method }) => method);
    for (const described of [...one.service, ...methods, ...fields]) dropExtensions(described);
    return { ...one, dependency: one.dependency.filter((name) => name !== OPTIONS_FILE) };
  });
writeFileSync(image, toBinary(FileDescriptorSetSchema, { ...set, file: withoutOptions }));

/** Those of an option that is known only as an extension are what a message does not know. */
function dropExtensions(described: { options?: Message | undefined }): void {
  if (!described.options?.$unknown) return;
  described.options.$unknown = [];
  if (Object.keys(described.options).every((key) => key.startsWith('$') || key === 'uninterpretedOption'))
    delete described.options;
}
