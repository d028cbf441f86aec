import { prepared } from '../../state/reading.ts';
import { usePart } from '../page/lazyPart.tsx';
import { useFacts } from '../page/useFacts.ts';

const load = () => import('./Schedule.tsx');

/** Lists which text is encoded when; its code is loaded with the first prompt that changes between steps. */
export function LazySchedule() {
  const isChanging = useFacts((s) => prepared(s, s.side)?.texts.some(({ steps }) => steps.length > 1) ?? false);
  const { part, standIn } = usePart(isChanging, load, null);
  if (!isChanging) return null;
  return part ? <part.Schedule /> : standIn;
}
