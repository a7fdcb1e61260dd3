/** Names for what the API takes and answers, from its OpenAPI document. */
import type { components } from '@tidemark/protocol/rest';

type Schemas = components['schemas'];

export type Backup = Schemas['BackupRecord'];
export type Restore = Schemas['Restore'];
export type LogBackup = Schemas['LogBackup'];
export type Drill = Schemas['Drill'];
export type DrillRun = Schemas['DrillRun'];
export type DrillProof = Schemas['DrillProof'];
export type RecoveryRange = Schemas['RecoveryRange'];
export type RecoveryPoints = Schemas['RecoveryPoints'];
export type RestorePlan = Schemas['RestorePlan'];
export type FleetRow = Schemas['FleetRow'];
export type Cluster = Schemas['Cluster'];
export type Storage = Schemas['Storage'];
export type StorageCheck = Schemas['StorageCheck'];
export type Strategy = Schemas['Strategy'];
export type FleetStrategy = Schemas['FleetStrategy'];
export type Occurrence = Schemas['Occurrence'];
export type RecoveryPoint = Schemas['RecoveryPoint'];
export type StrategySettings = Schemas['StrategySettings'];
export type FleetStrategySettings = Schemas['FleetStrategySettings'];
export type StrategyPreview = Schemas['StrategyPreview'];
export type RetentionVerdict = Schemas['RetentionVerdict'];
export type ClusterBody = Schemas['PutClusterBody'];
export type StorageBody = Schemas['PutStorageBody'];
export type Worker = Schemas['Worker'];
export type SearchHit = Schemas['SearchHit'];
export type AuditEntry = Schemas['AuditEntry'];
export type Receiver = Schemas['Receiver'];
export type ReceiverBody = Schemas['ReceiverBody'];
export type ReceiverStatus = Schemas['ReceiverStatus'];
export type Delivery = Schemas['Delivery'];
export type Token = Schemas['Token'];
export type TokenBody = Schemas['CreateTokenBody'];
