/**
 * `node write-tables.ts CONTRACT FROM TO`: copies the pages that have tables of calls from one folder to another, with their
 * tables as the contract has them (`npm run generate`). A table stands between two comments with its name.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Call, Role, Subject } from './calls.ts';
import { type FieldRules, sentenceOf } from './rules.ts';

interface Contract {
  readonly CALLS: Readonly<Record<string, Call>>;
  readonly METHODS: Readonly<Record<string, { readonly internal?: string }>>;
  readonly MESSAGES: Readonly<Record<string, Readonly<Record<string, FieldRules>>>>;
}

const [, , contract = '', from = '', to = ''] = process.argv;
const { CALLS, METHODS, MESSAGES }: Contract = await import(pathToFileURL(contract).href);

const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];
const WHOSE: Readonly<Record<Subject, string>> = {
  cluster: 'the cluster’s',
  backup: 'the backup’s cluster’s',
  'own clusters': 'narrowed to the caller’s clusters',
  restore: 'both of the restore’s clusters’',
  everything: 'who sees all clusters',
};

/** Every call of people, and what takes more of a role in it. */
function rolesTable(): string[] {
  const rows = Object.entries(CALLS).flatMap(([name, { subject, role, request }]) => [
    [`\`${name}\``, subject, ...rolesFrom(role)],
    ...fieldsOf(request).flatMap(({ path, rules }) =>
      rules.role ? [[`\`${name}\` with \`${path}\``, subject, ...rolesFrom(rules.role)]] : [],
    ),
  ]);
  return table(['call', 'about', ...ROLES], rows);
}

const rolesFrom = (role: Role) => ROLES.map((one) => (ROLES.indexOf(one) >= ROLES.indexOf(role) ? 'yes' : ''));

/** Every method of the services that have calls of people, and the other services as a whole. */
function methodsTable(): string[] {
  const calls = new Map(Object.values(CALLS).map((call) => [call.method, call]));
  const serviceOf = (method: string) => method.split('/')[0] ?? '';
  const open = new Set([...calls.keys()].map(serviceOf));
  const rows = Object.keys(METHODS)
    .filter((method) => open.has(serviceOf(method)))
    .map((method) => {
      const call = calls.get(method);
      const internal = call ? fieldsOf(call.request).filter(({ rules }) => rules.internal) : [];
      const fields = internal.map(({ path }) => `\`${snakeCase(path)}\``).join(', ');
      const name = `\`${shortName(method)}\``;
      return call ? [name, call.role, WHOSE[call.subject], fields] : [name, '', '', 'not served'];
    });
  const closed = new Set(
    Object.keys(METHODS)
      .map(serviceOf)
      .filter((service) => !open.has(service)),
  );
  const others = [...closed].map((service) => [`\`${shortName(service)}\``, '', '', 'not served']);
  return table(['call', 'role', 'whose', 'not for people'], [...rows, ...others]);
}

/** Every field whose length or value is bounded by a number of its own. */
function boundsTable(): string[] {
  const rows = Object.entries(MESSAGES).flatMap(([type, fields]) =>
    Object.entries(fields).flatMap(([name, rules]) =>
      rules.maxLength === undefined && rules.max === undefined
        ? []
        : [[`\`${shortName(type)}.${name}\``, sentenceOf(rules).replace(/^must be /, '')]],
    ),
  );
  return table(['field', 'may be'], rows);
}

/** Fields with rules, also of the messages within. */
function fieldsOf(type: string, prefix = ''): { readonly path: string; readonly rules: FieldRules }[] {
  return Object.entries(MESSAGES[type] ?? {}).flatMap(([name, rules]) => [
    { path: `${prefix}${name}`, rules },
    ...(rules.message ? fieldsOf(rules.message, `${prefix}${name}.`) : []),
  ]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

const shortName = (method: string) => method.replace(/^[\w.]*\.(?=\w+(\/|$))/, '');
const snakeCase = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const PAGES = [
  ['access.md', 'roles', rolesTable],
  ['grpc.md', 'calls', methodsTable],
  ['limits.md', 'bounds', boundsTable],
] as const;

for (const [page, name, rows] of PAGES) {
  const [begin, end] = [`<!-- ${name}: made from proto/ by npm run generate -->\n`, `<!-- end of ${name} -->\n`];
  const text = readFileSync(join(from, page), 'utf8');
  const at = text.indexOf(begin) + begin.length;
  const until = text.indexOf(end);
  if (at < begin.length || until < at) throw new Error(`${page} has no place for its table ${name}`);
  writeFileSync(join(to, page), `${text.slice(0, at)}\n${rows().join('\n')}\n\n${text.slice(until)}`);
}
