import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NEEDED_ROLE } from '../authorize.ts';
import { PUBLIC_SERVICES } from './rpc-handler.ts';
import type { InternalCall, ServedCall } from './served-call.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'grpc.md'), 'utf8');
const snakeCase = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** What the page says of each method: its role, and what of it is not for people. */
const told = new Map(
  page
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, names = '']) => /^`\w+Service\//.test(names))
    .flatMap(([, names = '', role, , internal]) => {
      const service = /`(\w+)\//.exec(names)?.[1];
      const methods = [...names.matchAll(/(?:\/|, `)(\w+)/g)].map(([, method]) => method);
      return methods.map((method) => [`${service}/${method}`, { role, internal }] as const);
    }),
);

it('the page of calls and the table are the same, both ways', () => {
  const rows = PUBLIC_SERVICES.flatMap(([service, calls]) =>
    service.methods.map(({ name, localName }) => {
      const row = (calls as unknown as Record<string, ServedCall<object, object> | InternalCall>)[localName];
      return [`${service.name}/${name}`, row] as const;
    }),
  );
  expect([...told.keys()].sort()).toEqual(rows.map(([name]) => name).sort());
  for (const [name, row] of rows) {
    if (row && 'call' in row) {
      expect(told.get(name)?.role, name).toBe(NEEDED_ROLE[row.call]);
      for (const field of row.internal ?? []) expect(told.get(name)?.internal, name).toContain(snakeCase(field));
    } else expect(told.get(name), name).toEqual({ role: '', internal: 'not served' });
  }
});
