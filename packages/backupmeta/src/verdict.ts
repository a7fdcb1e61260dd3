/** What a verification lets one say of a backup, and no more than that. Pure. */
import type { ContentReport } from './content-report.ts';

const TSO_LOGICAL_BITS = 18n;

/**
 * The verdict in sentences.
 *
 * @param sample which part of the data files was read at the level `bytes`
 */
export function toSentence(report: ContentReport, sample = 1): string {
  const { verdict, level, filesListed, problems, problemCount, result, signature } = report;
  const all = filesListed === 1 ? 'Its one file is' : `All ${filesListed} files are`;
  switch (verdict) {
    case 'absent':
      return 'There is no backup: backupmeta is missing.';
    case 'damaged':
      if (problems.some(({ kind }) => kind === 'tampered'))
        return 'The backup was tampered with: its catalogue is a whole one, and not the one that was signed.';
      if (problemCount === 1 && problems[0]?.kind === 'signature')
        return `The backup cannot be trusted, although its files fit together: ${problems[0].why}.`;
      if (result === undefined && problems[0]?.kind === 'key')
        return 'The backup cannot be read with this key: its catalogue is what was written. Nothing else could be verified.';
      return result === undefined
        ? 'The backup is damaged: its catalogue cannot be believed, so that nothing else could be verified.'
        : `The backup is damaged: ${count(problemCount, 'file')} of ${filesListed} ${problemCount === 1 ? 'is' : 'are'} not as it should be.`;
    case 'incomplete': {
      const unproven = problems.find(({ kind }) => kind === 'unsigned' || kind === 'unknownKey');
      const unread = problemCount - (unproven ? 1 : 0);
      const files = unread > 0 ? [`${count(unread, 'file')} of ${filesListed} could not be verified`] : [];
      const origin = unproven ? [`that this is what was written is not proven: ${unproven.why}`] : [];
      return `Nothing was found that is wrong, but ${[...files, ...origin].join(', and ')}.`;
    }
    case 'good': {
      const signed = signature === 'good' ? ', and the one that was signed' : '';
      const catalogue = `The catalogue of the backup is unharmed${signed}.`;
      if (level === 'meta') return `${catalogue} ${all} there with the right size.`;
      const when = result === undefined ? '' : ` on ${timeOf(result.tso)}`;
      if (sample >= 1)
        return `Every file is byte for byte what TiKV wrote${when}.${signed && ' Its catalogue is the one that was signed.'}`;
      return `A random ${percent(sample)} of the data files are byte for byte what TiKV wrote${when}. ${catalogue} ${all} there.`;
    }
  }
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`;
const percent = (part: number) => `${Number((100 * part).toPrecision(3))} %`;
const timeOf = (tso: bigint) => new Date(Number(tso >> TSO_LOGICAL_BITS)).toISOString();
