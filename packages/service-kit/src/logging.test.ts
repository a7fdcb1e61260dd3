import { AppError } from '@tidemark/errors/app-error';
import { describe, expect, it } from 'vitest';
import { cutAll, plainError, withoutPasswords } from './logging.ts';

describe('a line of the log', () => {
  it('has no text of more than some KiB and no endless list, wherever in it they stand', () => {
    const long = 'x'.repeat(12_000_000);
    const line = { text: long, deep: { list: [long, 'y'], many: Array(250_000).fill(1) }, at: new Date(0), n: 1 };
    const cut = cutAll(line);
    expect(JSON.stringify(cut).length).toBeLessThan(10_000);
    expect(cut).toMatchObject({ text: expect.stringContaining('(12000000 characters)'), at: new Date(0), n: 1 });
    expect(plainError(new Error(long)).message.length).toBeLessThan(5_000);
  });
});

describe('an error in the log', () => {
  const driver = new Error('no answer from mongodb://a:b@h/db', { cause: new Error('ECONNREFUSED') });

  it('that is a refusal or an outage is its sentences, with all causes and without a stack', () => {
    const away = new AppError('unavailable', 'The database is away.', { cause: driver });
    expect(plainError(away)).toEqual({
      type: 'AppError',
      message: 'The database is away.',
      code: 'unavailable',
      cause: {
        type: 'Error',
        message: 'no answer from mongodb://a:***@h/db',
        cause: { type: 'Error', message: 'ECONNREFUSED' },
      },
    });
  });

  it('that nobody expected says where it came from, also where it is taken for an outage', () => {
    expect(plainError(driver).stack).toContain('logging.test.ts');
    expect(plainError(new AppError('internal', 'A fault.', { cause: driver })).cause?.stack).toContain(
      'logging.test.ts',
    );
    const fault = new TypeError('x is not a function');
    expect(plainError(new AppError('unavailable', 'Away.', { cause: fault })).cause?.stack).toContain(
      'logging.test.ts',
    );
  });

  it('of a peer that fetch could not reach is no fault of ours', () => {
    const fetched = new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') });
    expect(plainError(new AppError('unavailable', 'Away.', { cause: fetched })).cause).toEqual({
      type: 'TypeError',
      message: 'fetch failed',
      cause: { type: 'Error', message: 'ECONNREFUSED' },
    });
  });
});

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
