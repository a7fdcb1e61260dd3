import { expect, it } from 'vitest';
import type { ContentReport, Problem } from './content-report.ts';
import { toSentence } from './verdict.ts';

const result = {
  tso: 435_844_546_560_000_000n,
  sizeBytes: 1n,
  files: 4n,
  tidbClusterId: 7n,
  clusterVersion: '8.5.0',
  remark: '',
};
const report = (changes: Partial<ContentReport> = {}): ContentReport => ({
  level: 'bytes',
  verdict: 'good',
  result,
  description: undefined,
  filesListed: 7,
  bytesListed: 100,
  filesRead: 5,
  bytesRead: 90,
  problems: [],
  problemCount: 0,
  signature: undefined,
  ...changes,
});

it('says of a backup what its verification showed, and no more', () => {
  expect(toSentence(report())).toBe('Every file is byte for byte what TiKV wrote on 2022-09-08T05:30:00.000Z.');
  expect(toSentence(report(), 0.125)).toBe(
    'A random 12.5 % of the data files are byte for byte what TiKV wrote on 2022-09-08T05:30:00.000Z. The catalogue of the backup is unharmed. All 7 files are there.',
  );
  expect(toSentence(report({ level: 'meta' }))).toBe(
    'The catalogue of the backup is unharmed. All 7 files are there with the right size.',
  );
  expect(toSentence(report({ verdict: 'damaged', problemCount: 1 }))).toBe(
    'The backup is damaged: 1 file of 7 is not as it should be.',
  );
  expect(toSentence(report({ verdict: 'damaged', result: undefined, problemCount: 1 }))).toContain(
    'its catalogue cannot be believed',
  );
  const problems = [{ kind: 'key', name: 'backupmeta', why: '' }] as const;
  expect(toSentence(report({ verdict: 'damaged', result: undefined, problems, problemCount: 1 }))).toBe(
    'The backup cannot be read with this key: its catalogue is what was written. Nothing else could be verified.',
  );
  expect(toSentence(report({ verdict: 'incomplete', problemCount: 2 }))).toBe(
    'Nothing was found that is wrong, but 2 files of 7 could not be verified.',
  );
  expect(toSentence(report({ verdict: 'absent', result: undefined, problemCount: 1 }))).toBe(
    'There is no backup: backupmeta is missing.',
  );
});

it('says of a signature what it proves, and what is not proven without one', () => {
  const at = (kind: Problem['kind'], why: string) => ({ kind, name: 'tidemark.json', why });
  const unsigned = at('unsigned', 'tidemark.json bears no signature');
  const said = (problems: readonly Problem[], verdict: ContentReport['verdict']) =>
    toSentence(report({ verdict, problems, problemCount: problems.length }));
  expect(toSentence(report({ signature: 'good' }))).toMatch(
    /2022-09-08T05:30:00.000Z\. Its catalogue is the one that was signed\.$/,
  );
  expect(toSentence(report({ signature: 'good', level: 'meta' }))).toMatch(
    /unharmed, and the one that was signed\. All 7/,
  );
  expect(said([unsigned], 'incomplete')).toBe(
    'Nothing was found that is wrong, but that this is what was written is not proven: tidemark.json bears no signature.',
  );
  expect(said([unsigned, at('unreadable', 'x')], 'incomplete')).toBe(
    'Nothing was found that is wrong, but 1 file of 7 could not be verified, and that this is what was written is not proven: tidemark.json bears no signature.',
  );
  expect(said([at('signature', 'it was changed since')], 'damaged')).toBe(
    'The backup cannot be trusted, although its files fit together: it was changed since.',
  );
  expect(said([at('tampered', 'x')], 'damaged')).toMatch(/^The backup was tampered with/);
});
