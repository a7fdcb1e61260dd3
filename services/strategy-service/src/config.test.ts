import { expect, it } from 'vitest';
import { toConfig } from './config.ts';

const env = { TIDEMARK_MONGODB_URL: 'mongodb://127.0.0.1' };

it('takes the time zone of the setting, else that of the host', () => {
  expect(toConfig({ ...env, TIDEMARK_TIME_ZONE: 'Asia/Tokyo' }).timeZone).toBe('Asia/Tokyo');
  const before = process.env.TZ;
  try {
    process.env.TZ = 'America/Lima';
    expect(toConfig(env).timeZone).toBe('America/Lima');
  } finally {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
});

it.each(['Mars/Phobos', '+05:30'])('refuses %s as a time zone, and shows one that would be right', (timeZone) => {
  expect(() => toConfig({ ...env, TIDEMARK_TIME_ZONE: timeZone })).toThrow(/TIDEMARK_TIME_ZONE .*Europe\/Berlin/);
});
