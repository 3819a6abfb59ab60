"use strict";
// What another number of images would keep of each class: moderate_cli/selection (counts.py,
// windows.py, floors.py) once more, on positions in the order of scores.

const BALANCES = {
  proportional: (size) => size,
  sqrt: (size) => Math.floor(Math.sqrt(size * 1e6)),
  uniform: () => 1,
};

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

function keptCount(n, thousandths) {
  return Math.max(1, Math.floor((2 * n * thousandths + 1000) / 2000));
}

function quotas(sizes, k, floors, balance) {
  if (sum(floors) > k) floors = floors.map(() => 0);
  const weights = sizes.map(BALANCES[balance]);
  const full = sizes.map(() => false);
  let total, left;
  for (;;) {
    total = 0;
    left = k;
    sizes.forEach((size, i) => (full[i] ? (left -= size) : (total += weights[i])));
    const over = sizes.map((size, i) => !full[i] && left * weights[i] >= size * total);
    if (!over.some(Boolean)) break;
    over.forEach((is, i) => (full[i] ||= is));
  }
  const unit = Math.max(total, 1);
  const shares = weights.map((weight) => left * weight);
  const kept = sizes.map((size, i) =>
    full[i] ? size : Math.max((shares[i] - (shares[i] % unit)) / unit, floors[i]),
  );
  const owed = sizes.map((_, i) => (full[i] ? 0 : shares[i] - total * kept[i]));
  let missing = k - sum(kept);
  if (missing > 0) {
    const order = sizes.map((_, i) => i).sort((a, b) => owed[b] - owed[a] || a - b);
    for (const i of order.slice(0, missing)) kept[i] += 1;
  }
  for (; missing < 0; missing += 1) {
    let least = -1;
    kept.forEach((count, i) => {
      if (count > floors[i] && (least < 0 || owed[i] < owed[least])) least = i;
    });
    kept[least] -= 1;
    owed[least] += total;
  }
  return kept;
}

function windowStart(n, k, rule) {
  if (rule.median) return Math.floor((n - k) / 2);
  const [up, down] = rule.quantile.map(BigInt);
  return Number((2n * BigInt(n - k) * up + down) / (2n * down));
}

function classWindows(members, sizes, kept, rule) {
  const starts = sizes.map((size, i) => windowStart(size, kept[i], rule));
  const ranks = new Int32Array(sizes.length);
  return Uint8Array.from(members, (own) => {
    const rank = ranks[own]++;
    return rank >= starts[own] && rank < starts[own] + kept[own] ? 1 : 0;
  });
}

function globalWindow(members, classes, k, floors, rule) {
  const n = members.length;
  const start = windowStart(n, k, rule);
  const inside = new Uint8Array(n).fill(1, start, start + k);
  const counts = new Int32Array(classes);
  for (let i = start; i < start + k; i += 1) counts[members[i]] += 1;
  if (floors.some((floor, i) => counts[i] < floor)) {
    raiseToFloors(inside, members, counts, floors, outward(n, 2 * start + k - 1));
  }
  return inside;
}

function outward(n, twiceTheMiddle) {
  // All positions, the nearest to the middle of the window first, of two as near the lower one.
  const order = new Int32Array(n);
  let low = Math.min(n - 1, Math.floor(twiceTheMiddle / 2));
  let high = low + 1;
  for (let i = 0; i < n; i += 1) {
    const below = low >= 0 && (high >= n || twiceTheMiddle - 2 * low <= 2 * high - twiceTheMiddle);
    order[i] = below ? low-- : high++;
  }
  return order;
}

function attainable(sizes, least, k) {
  const taken = (floor) => sum(sizes.map((size) => Math.min(size, floor)));
  let found = Math.min(least, 1);
  while (found < Math.min(least, Math.max(...sizes)) && taken(found + 1) <= k) found += 1;
  return found;
}

function raiseToFloors(inside, members, counts, floors, preferred) {
  const lacking = floors.map((floor, i) => Math.max(floor - counts[i], 0));
  const spare = floors.map((floor, i) => counts[i] - floor);
  const wanted = preferred.filter((i) => !inside[i] && lacking[members[i]] > 0);
  const givable = preferred.filter((i) => inside[i] && spare[members[i]] > 0).reverse();
  let next = 0;
  for (const i of wanted) {
    if (lacking[members[i]] === 0) continue;
    while (next < givable.length && spare[members[givable[next]]] <= 0) next += 1;
    if (next === givable.length) break;
    spare[members[givable[next]]] -= 1;
    lacking[members[i]] -= 1;
    inside[givable[next++]] = 0;
    inside[i] = 1;
  }
}

// What k images are: `counts` of each class, and `inside`, which positions, if the rule tells.
function keep(ranking, k) {
  const { n, step, members, sizes, rule } = ranking;
  const least = attainable(sizes, rule.floor, k);
  const floors = sizes.map((size) => Math.min(size, least));
  if (rule.kind === "global window") {
    // Where positions are a sample, the window is as large a part of it; floors are left aside.
    const whole = step === 1;
    const part = whole ? k : Math.min(members.length, Math.max(1, Math.round(k / step)));
    const inside = globalWindow(members, sizes.length, part, whole ? floors : sizes.map(() => 0), rule);
    const counts = sizes.map(() => 0);
    inside.forEach((is, i) => (counts[members[i]] += is));
    return { inside, counts: counts.map((count, i) => Math.min(sizes[i], count * step)) };
  }
  const present = sizes.map((_, i) => i).filter((i) => sizes[i] > 0);
  const shared = quotas(present.map((i) => sizes[i]), k, present.map((i) => floors[i]), rule.balance);
  const counts = sizes.map(() => 0);
  present.forEach((i, at) => (counts[i] = shared[at]));
  if (rule.kind !== "class windows") return { inside: null, counts };
  const seen = sizes.map(() => 0);
  members.forEach((own) => (seen[own] += 1));
  const parts = step === 1 ? counts : counts.map((count, i) => Math.round((count * seen[i]) / (sizes[i] || 1)));
  return { inside: classWindows(members, seen, parts, rule), counts };
}
