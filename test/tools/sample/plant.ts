import { LakeError } from "../../../schemas/errors.js";
import { DEFECTS, type Defect } from "./defects.js";
import { countFinding, fileNameOf, type PlannedGroup, rowsOf, type ShardPlan } from "./plan.js";
import { Random } from "./random.js";

/** Rejected rows must stay under this part of a shard's rows. */
const REJECT_RATIO = 0.05;

/** The fewest images that each of so many shards needs to take every defect. */
export function fewestImages(shards: number): number {
	const most = Math.max(...DEFECTS.map(({ rejects }) => rejects));
	const all = DEFECTS.reduce((sum, { rejects }) => sum + rejects, 0);
	// Shards are filled evenly; one may hold a defect of several rows on top of the others' share.
	return Math.max(most, Math.ceil(all / shards)) * (1 / REJECT_RATIO) + 1;
}

/**
 * Plants each defect in a prompt group of its own, spread over the shards.
 * @param zips false where shards are unpacked: what only a zip's entry can show is then left out, the rest is planted where it would be otherwise
 * @throws USAGE when the shards are too small
 */
export function plantDefects(plans: ShardPlan[], defects: readonly Defect[], zips: boolean, seed: number): void {
	const random = new Random(`${seed}/defects`);
	const rejected = new Map(plans.map((plan) => [plan, 0]));
	const sorted = [...defects].sort((a, b) => b.rejects - a.rejects);
	for (const defect of sorted) {
		const plan = roomiest(plans, rejected, defect);
		if (!plan) {
			const needed = fewestImages(plans.length);
			throw new LakeError(
				"USAGE",
				`${plans.length} shards are too small for the defects: rejected rows must stay under ${REJECT_RATIO * 100} % of each.`,
				{ hint: `Give --images ${needed} or more, or more shards.` },
			);
		}
		rejected.set(plan, (rejected.get(plan) ?? 0) + defect.rejects);
		const group = random.pick(freeGroups(plan));
		group.taken = true;
		plantOne(plan, group, defect, zips, random);
	}
}

function freeGroups(plan: ShardPlan): PlannedGroup[] {
	return plan.groups.filter(({ taken }) => !taken);
}

/** The shard that can take most before its share of rejected rows is reached; among equal ones the one with most free groups. */
function roomiest(plans: ShardPlan[], rejected: Map<ShardPlan, number>, defect: Defect): ShardPlan | undefined {
	const room = (plan: ShardPlan) => {
		const least = Math.ceil(rowsOf(plan).length * REJECT_RATIO) - 1;
		return least - (rejected.get(plan) ?? 0);
	};
	const rank = (plan: ShardPlan) => (defect.rejects > 0 ? room(plan) : 0) * 10_000 + freeGroups(plan).length;
	return plans
		.filter((plan) => freeGroups(plan).length > 0 && (defect.rejects === 0 || room(plan) >= defect.rejects))
		.sort((a, b) => rank(b) - rank(a))[0];
}

/** Plants one defect in a group. The random numbers are drawn whether it can be shown or not. */
function plantOne(plan: ShardPlan, group: PlannedGroup, defect: Defect, zips: boolean, random: Random): void {
	const candidates = group.rows.filter((row) => !usesAlpha(plan, fileNameOf(row)));
	const row = random.pick(candidates);
	const member = plan.members.get(fileNameOf(row));
	if (!member) throw new Error(`${plan.shard} has no member ${fileNameOf(row)}`);
	if (defect.zipOnly && !zips) return;
	const imagePath = String(row.json.image_path);
	const promptId = String(row.json.prompt_id);
	const about = { image_path: imagePath, prompt_id: promptId, member: member.name };
	const named = defect.plant({ plan, group, row, member, random });
	const { code, variant, note } = defect;
	plan.planted.push({ code, variant, shard: plan.shard, ...about, ...named, note });
	countFinding(plan, code, Math.max(1, defect.rejects));
}

/** Pictures with transparency stay whole: a defect is told from its cause more easily in a plain one. */
function usesAlpha(plan: ShardPlan, name: string): boolean {
	const picture = plan.members.get(name)?.picture;
	return picture?.kind === "drawn" && picture.alpha;
}
