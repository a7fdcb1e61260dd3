import { expect, it } from 'vitest';
import { configReader, type Env, type OnRead } from './env.ts';
import { helpText, settingsOf } from './settings.ts';

function toConfig(env: Env, onRead?: OnRead) {
  const reader = configReader(env, onRead);
  const config = {
    port: reader.integer('A_PORT', { about: 'Its port.', default: 4, max: 9 }),
    host: reader.text('A_HOST', { about: 'Its host.', shown: 'that of the machine', default: 'm-17' }),
    url: reader.secret('A_URL', { about: 'Where it is.', required: true }),
  };
  reader.finish();
  return config;
}

it('settings are known by name, with what is told of each, though none is set', () => {
  expect(settingsOf(toConfig)).toEqual([
    { name: 'A_HOST', kind: 'a text', about: 'Its host.', default: 'that of the machine', required: false },
    { name: 'A_PORT', kind: 'a whole number from 0 to 9', about: 'Its port.', default: '4', required: false },
    {
      name: 'A_URL',
      kind: 'a text, or `A_URL_FILE` names a file that holds it',
      about: 'Where it is.',
      default: undefined,
      required: true,
    },
    expect.objectContaining({ name: 'TIDEMARK_LOG_LEVEL', default: 'info' }),
    expect.objectContaining({ name: 'TIDEMARK_PARENT_PID' }),
  ]);
});

it('help names what must be set, and what holds unless it is', () => {
  const text = helpText('a-service', settingsOf(toConfig));
  expect(text).toContain('  A_PORT\n      Its port.\n      a whole number from 0 to 9; 4 unless set\n');
  expect(text).toContain('A_URL_FILE names a file that holds it; must be set\n');
});
