/** How well the projections do, as one component of the node. */
import type { ComponentHealth, NodeStatus } from '../status.ts';
import type { ProjectionsStatus } from './node-projections.ts';

/** A projection this far behind the head is not healthy. */
const MAX_PROJECTION_LAG = 1_000;

/** What the status says of them besides their health. */
export function projectionFacts({
  projections,
  rebuild,
}: ProjectionsStatus): Pick<NodeStatus, 'projections' | 'rebuild'> {
  return { projections, rebuild };
}

/**
 * One that is being rebuilt is no illness: the old rows serve meanwhile.
 *
 * @param isCatchingUp a node that has just joined: its rows are made once it follows
 */
export function projectionHealth(headHeight: number, facts: ProjectionsStatus, isCatchingUp = false): ComponentHealth {
  const name = 'projections';
  const { projections, rebuild, rebuildFailure } = facts;
  if (isCatchingUp) return { name, healthy: true, detail: 'wait until the node has caught up with the network' };
  if (rebuild !== null) {
    const { height, projections: rebuilt, secondsLeft } = rebuild;
    const left = secondsLeft === null ? '' : `, about ${secondsLeft} s left`;
    const at = height < 0 ? 'beginning' : `at height ${height} of ${rebuild.headHeight}${left}`;
    return { name, healthy: true, detail: `${rebuilt.join(', ')} being rebuilt, ${at}` };
  }
  const halted = projections.find(({ state }) => state !== 'following');
  if (halted !== undefined) {
    const because = rebuildFailure === null ? '' : ` (${rebuildFailure.code}: ${rebuildFailure.message})`;
    const detail = `${halted.name} is ${halted.state}${because}; "hotledger rebuild" tries again`;
    return { name, healthy: false, detail };
  }
  const lag = Math.max(0, ...projections.map((projection) => headHeight - projection.height));
  const detail = lag === 0 ? 'at the head' : `${lag} blocks behind the head`;
  return { name, healthy: lag <= MAX_PROJECTION_LAG, detail };
}
