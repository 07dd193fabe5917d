/** The counts of the ledger as they are asked for, printed, and carried over the control socket. */
import {
  daysOf,
  epochsOf,
  totalsOf,
  versionsOf,
  type Day,
  type Epoch,
  type Totals,
} from '../../projections/statistics.ts';
import type { ReadProjection } from './history-report.ts';

/** Of the newest ones, how many. */
export interface StatisticsQuery {
  readonly days: number;
  readonly epochs: number;
}

export interface VersionCount {
  readonly version: string;
  /** With a record, joined or not. */
  readonly nodes: number;
}

export interface StatisticsReport extends Totals {
  /** The last height that is counted. */
  readonly height: number;
  /** In the order of their names. */
  readonly versions: readonly VersionCount[];
  /** Newest first; of days without a block there is nothing. */
  readonly days: readonly Day[];
  /** Newest first. */
  readonly epochs: readonly Epoch[];
}

/** More than a ledger will have in ten years. */
export const MAX_PERIODS = 4_000;

/** @throws CodedError `projection-not-built` */
export async function statisticsReport(
  read: ReadProjection,
  { days, epochs }: StatisticsQuery,
): Promise<StatisticsReport> {
  return read('statistics', async (reader, height) => ({
    height,
    ...totalsOf(reader),
    versions: Array.from(await versionsOf(reader), ([version, nodes]) => ({ version, nodes })),
    days: await daysOf(reader, days),
    epochs: await epochsOf(reader, epochs),
  }));
}
