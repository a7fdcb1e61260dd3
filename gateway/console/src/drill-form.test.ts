import { create } from '@bufbuild/protobuf';
import {
  DrillChoice,
  DrillRunState,
  DrillSchema,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/drill_service';
import { describe, expect, it } from 'vitest';
import { type DrillForm, emptiedBy, formOf, isOpen, planOf, sameSave, saveOf } from './drill-form.ts';
import { curlLine, tidemarkLine } from './shell.ts';

const stored = create(DrillSchema, {
  ...{ clusterId: 'orders', targetClusterId: 'scratch', days: ['Sunday', 'Monday'], period: '2:00-24:00' },
  ...{ timeZone: 'Europe/Berlin', choose: DrillChoice.RANDOM },
  emptyHook: { url: 'https://hooks.example.com/empty', secrets: { source: { case: 'envPrefix', value: 'DRILL_' } } },
});
const hooked = { hook: 'hook', hookSecrets: 'OTHER_', hookUrl: 'https://hooks.example.com/other' } as const;

describe('a drill that is edited', () => {
  it('begins as it is stored, and a new one on Sundays with the newest backup', () => {
    expect(formOf(stored)).toMatchObject({
      ...{ targetClusterId: 'scratch', days: ['Monday', 'Sunday'], opens: '02:00', closes: '00:00' },
      ...{ timeZone: 'Europe/Berlin', choose: 'random', paused: false, hook: 'as it is' },
    });
    expect(formOf(undefined)).toMatchObject({ days: ['Sunday'], choose: 'newest', hook: 'people' });
  });

  it('keeps what it chooses, a moment of the log as well', () => {
    for (const choose of [DrillChoice.NEWEST, DrillChoice.RANDOM, DrillChoice.POINT_IN_TIME]) {
      const drill = create(DrillSchema, { ...stored, choose });
      expect(saveOf('orders', formOf(drill), drill).choose).toBe(choose);
    }
    const ofLog = create(DrillSchema, { choose: DrillChoice.POINT_IN_TIME });
    expect(planOf(ofLog)).toBe('a random moment of its log, when somebody asks');
    expect(tidemarkLine(sameSave('orders', formOf(ofLog), ofLog))).toContain('--choose pointInTime');
  });

  it('leaves its hook alone, has another one, or none any more', () => {
    const saved = (part: Partial<DrillForm>) => saveOf('orders', { ...formOf(stored), ...part }, stored);
    expect(saved({})).toEqual({
      ...{ clusterId: 'orders', targetClusterId: 'scratch', days: 'Monday,Sunday', period: '2:00-24:00' },
      ...{ timeZone: 'Europe/Berlin', paused: false, choose: DrillChoice.RANDOM },
    });
    expect(saved(hooked)).toMatchObject({
      emptyHook: { url: hooked.hookUrl, secrets: { source: { case: 'envPrefix', value: 'OTHER_' } } },
    });
    expect(saved({ ...hooked, hookSecrets: '/run/secrets/drill' })).toMatchObject({
      emptyHook: { secrets: { source: { case: 'file', value: '/run/secrets/drill' } } },
    });
    expect(saved({ hook: 'people' })).toMatchObject({ withoutEmptyHook: true });
    expect(saveOf('orders', formOf(undefined), undefined)).not.toHaveProperty('withoutEmptyHook');
  });

  it('is the same from a shell', () => {
    const same = sameSave('orders', { ...formOf(stored), ...hooked, paused: true }, stored);
    expect(tidemarkLine(same)).toBe(
      'tidemark drill set orders --into scratch --days Monday,Sunday --window 2:00-24:00 --time-zone Europe/Berlin --choose random --paused --hook-secrets OTHER_ --hook-url https://hooks.example.com/other',
    );
    expect(curlLine('http://x', same)).toContain(
      '"emptyHook":{"url":"https://hooks.example.com/other","secrets":{"envPrefix":"OTHER_"}}',
    );
    const ofFile = sameSave('orders', { ...formOf(stored), ...hooked, hookSecrets: '/run/secrets/drill' }, stored);
    expect(ofFile.body).toMatchObject({ emptyHook: { secrets: { file: '/run/secrets/drill' } } });
    expect(tidemarkLine(ofFile)).toContain('--hook-secrets-file /run/secrets/drill');
    const bare = sameSave('orders', { ...formOf(stored), days: [], hook: 'people' }, stored);
    expect(bare.body).toMatchObject({ backupDate: '', emptyHook: null });
    expect(tidemarkLine(bare)).toMatch(/--into scratch --window .* --without-hook$/);
  });
});

it('says when a drill runs, what it restores, and who empties its target', () => {
  expect(planOf(stored)).toBe('a random good backup, on Sunday, Monday, 2:00-24:00 Europe/Berlin');
  expect(planOf(create(DrillSchema, { paused: true }))).toBe(
    'the newest good backup, when somebody asks; it is paused',
  );
  expect([emptiedBy(stored), emptiedBy({ emptyHook: undefined })]).toEqual([stored.emptyHook?.url, 'people']);
});

it('a run that waits or runs may still become something else', () => {
  const { PENDING, RUNNING, SUCCEEDED, MISSED } = DrillRunState;
  expect([PENDING, RUNNING, SUCCEEDED, MISSED].map((state) => isOpen({ state }))).toEqual([true, true, false, false]);
});
