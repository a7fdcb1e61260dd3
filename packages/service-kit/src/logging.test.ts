import { expect, it } from 'vitest';
import { withoutPasswords } from './logging.ts';

it('blots out passwords in connection strings wherever they stand', () => {
  expect(withoutPasswords('connect amqp://tide:hush@10.0.0.1:5672/ and mongodb://a:b@h/db failed')).toBe(
    'connect amqp://tide:***@10.0.0.1:5672/ and mongodb://a:***@h/db failed',
  );
  expect(withoutPasswords('http://host:80/x')).toBe('http://host:80/x');
  expect(withoutPasswords('http://host:80/x amqp://tide@h, amqp://:hush@h')).toBe(
    'http://host:80/x amqp://tide@h, amqp://:***@h',
  );
});

it.each([
  ['letters', 'a'.repeat(1_000_000)],
  ['halves of addresses', 'x://:'.repeat(200_000)],
  ['halves of addresses, and an end', `${'x://y/'.repeat(200_000)}@`],
])('reads a text of a million characters once, and not from each of them: %s', (_, text) => {
  expect(withoutPasswords(text)).toHaveLength(text.length);
});
