import { FleetStrategy as FleetStrategyMessage } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { type Settings, settingsMessage } from './strategy.ts';

/** A label and its value: as a pair, since a label may hold what the name of a field must not. */
export interface Label {
  readonly name: string;
  readonly value: string;
}

/** A strategy for all clusters with certain labels, as it is stored. */
export interface FleetStrategyDocument extends Settings {
  /** Its name. */
  readonly _id: string;
  /** All of them must be there; by name. */
  readonly selector: readonly Label[];
  readonly priority: number;
  readonly rule: string;
  readonly revision: number;
  /** The call that saved it last, by which its repeat is known. */
  readonly savedIn?: string;
  /** The revision that every cluster has that was told. */
  readonly appliedRevision: number;
  /** The revision of which it is known that every cluster registered before it was saved has been told; absent: any. */
  readonly toldRevision?: number;
  /** It is forgotten once the rules that come from it are gone. */
  readonly deleting: boolean;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly updatedBy: string;
}

/** What matters of a registered cluster, as it was last told. */
export interface ClusterLabelsDocument {
  /** The cluster. */
  readonly _id: string;
  /** By name. */
  readonly labels: readonly Label[];
  /** Empty means Tidemark's own. */
  readonly timeZone: string;
  /** A token while its rules are still to follow, else empty. */
  readonly pending: string;
}

/** Whether no cluster can be missing that was registered before it was saved. */
export function isTold({ toldRevision, revision }: FleetStrategyDocument): boolean {
  return toldRevision === undefined || toldRevision === revision;
}

/** As pairs, by name. */
export function toLabels(labels: Readonly<Record<string, string>>): Label[] {
  return Object.entries(labels)
    .map(([name, value]) => ({ name, value }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** @param clusters how many have a rule from it */
export function toFleetMessage(fleet: FleetStrategyDocument, clusters: number): FleetStrategyMessage {
  return FleetStrategyMessage.create({
    ...settingsMessage(fleet),
    name: fleet._id,
    selector: Object.fromEntries(fleet.selector.map(({ name, value }) => [name, value])),
    priority: fleet.priority,
    rule: fleet.rule,
    revision: BigInt(fleet.revision),
    updateTime: fleet.updateTime,
    updatedBy: fleet.updatedBy,
    applied: fleet.appliedRevision === fleet.revision && isTold(fleet),
    clusters,
  });
}
