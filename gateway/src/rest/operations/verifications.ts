import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { type BackupRecordView, OneBackup, RECORD } from './backup-record.ts';
import { OfBackup, VERIFICATION } from './common.ts';

const VerifyBody = z.strictObject(VERIFICATION, 'is not known: a verification has level, sample and rateLimit');

const verifying: BackupRecordView = {
  ...RECORD,
  holds: ['verify:1'],
  verification: {
    state: 'Running',
    level: 'bytes',
    sample: 1,
    verdict: '',
    problems: [],
    problemCount: 0,
    verifiedAt: '0001-01-01T00:00:00Z',
    rateLimit: 100,
    damaged: false,
    progress: { bytesRead: 1_048_576, bytesInAll: 1_572_864, files: 3 },
    requestTime: '2022-05-01T10:00:00.000Z',
    createdBy: 'console',
    worker: 'executor-worker-1',
  },
};
const canceledVerification: BackupRecordView = {
  ...RECORD,
  verification: {
    state: 'Canceled',
    level: 'bytes',
    sample: 1,
    verdict: 'The verification was canceled.',
    problems: [],
    problemCount: 0,
    verifiedAt: '2022-05-01T10:01:00.000Z',
    rateLimit: 100,
    damaged: false,
    requestTime: '2022-05-01T10:00:00.000Z',
    createdBy: 'console',
  },
};

export const verifyBackup = {
  id: 'verifyBackup',
  tag: 'Backups',
  call: 'verifyBackup',
  summary: 'Verifies a good backup in its storage',
  description:
    'Answers when the request is safely recorded; a worker of the pool of the backup then reads it, and `verification` of the record says how far it is and what was found. One full read costs what the backup is long. Where the backup is being verified already, the answer is that verification. Until it is over the backup cannot be deleted (409).',
  params: OfBackup,
  body: VerifyBody,
  bodyExamples: {
    'every file': {},
    'a tenth, slowly': { level: 'bytes', sample: 0.1, rateLimit: 100 },
    'only the catalogue': { level: 'meta' },
  },
  answer: { data: OneBackup, example: { backup: verifying } },
  errors: ['backup_not_found', 'backup_not_good', 'conflict'],
} as const satisfies Operation;

export const cancelVerification = {
  id: 'cancelVerification',
  tag: 'Backups',
  call: 'cancelVerification',
  summary: 'Cancels the verification of a backup',
  description:
    'Answers when the request is safely recorded. What was found by then stands, and an earlier verdict goes on to count. Repeating it is fine.',
  params: OfBackup,
  answer: { data: OneBackup, example: { backup: canceledVerification } },
  errors: ['backup_not_found', 'verification_over', 'conflict'],
} as const satisfies Operation;
