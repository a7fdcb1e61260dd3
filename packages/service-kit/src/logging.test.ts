import { expect, it } from 'vitest';
import { withoutPasswords } from './logging.ts';

it('blots out passwords in connection strings wherever they stand', () => {
  expect(withoutPasswords('connect amqp://tide:hush@10.0.0.1:5672/ and mongodb://a:b@h/db failed')).toBe(
    'connect amqp://tide:***@10.0.0.1:5672/ and mongodb://a:***@h/db failed',
  );
  expect(withoutPasswords('http://host:80/x')).toBe('http://host:80/x');
});
