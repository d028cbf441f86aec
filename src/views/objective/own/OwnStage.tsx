import { type KeyboardEvent, type PointerEvent, useRef } from 'react';
import { movedTo, type OwnPicture, ownCaption, ownRadius } from '../../../world/ownScene.ts';
import { pictureSize } from '../../../world/render.ts';
import type { Colour } from '../../../world/worldWords.ts';
import { moveOf } from '../../page/roving.ts';
import { Thumbnails } from '../Thumbnails.tsx';
import styles from './own.module.css';

/** The pointer's work on the picture, and the colour it paints with. */
export interface Hand {
  readonly does: 'move' | 'paint';
  readonly colour: Colour;
}

interface OwnStageProps {
  readonly picture: OwnPicture;
  /** [S, S, 4] RGBA */
  readonly bytes: Uint8ClampedArray<ArrayBuffer>;
  readonly hand: Hand;
  onChange(change: (picture: OwnPicture) => OwnPicture): void;
}

const shifted = (picture: OwnPicture, index: number, x: number, y: number): OwnPicture => ({
  ...picture,
  objects: picture.objects.map((object, i) => (i === index ? movedTo(object, x, y) : object)),
});

/** Share of the picture's side, in words for a screen reader. */
const share = (value: number) => `${Math.round(100 * value)} %`;

/** The picture, on which objects are moved by pointer, touch and arrow keys, and lines are painted. */
export function OwnStage({ picture, bytes, hand, onChange }: OwnStageProps) {
  const stage = useRef<HTMLDivElement>(null);
  /** The object under the pointer, and how far from its middle it was taken; or the line that is painted. */
  const held = useRef<{ index: number; dx: number; dy: number } | 'brush' | null>(null);

  const placeOf = ({ clientX, clientY }: PointerEvent): [number, number] => {
    const { left, top, width, height } = stage.current!.getBoundingClientRect();
    const within = (value: number) => Math.min(1, Math.max(0, value));
    return [within((clientX - left) / width), within((clientY - top) / height)];
  };
  const take = (event: PointerEvent<HTMLDivElement>) => {
    if (event.button !== 0) return;
    const [x, y] = placeOf(event);
    if (hand.does === 'paint') {
      held.current = 'brush';
      const stroke = { colour: hand.colour, points: [[x, y] as const] };
      onChange((before) => ({ ...before, strokes: [...before.strokes, stroke] }));
    } else {
      const { objects } = picture;
      const isUnder = (i: number) => Math.hypot(x - objects[i].x, y - objects[i].y) <= 1.2 * ownRadius(objects[i]);
      // The last object lies on top.
      const index = objects.map((_, i) => i).findLast(isUnder);
      if (index === undefined) return;
      held.current = { index, dx: x - objects[index].x, dy: y - objects[index].y };
      stage.current?.querySelectorAll('button')[index]?.focus();
    }
    event.preventDefault();
    stage.current?.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent<HTMLDivElement>) => {
    const now = held.current;
    if (!now) return;
    const [x, y] = placeOf(event);
    if (now !== 'brush') return onChange((before) => shifted(before, now.index, x - now.dx, y - now.dy));
    onChange((before) => {
      const last = before.strokes[before.strokes.length - 1];
      const longer = { ...last, points: [...last.points, [x, y] as const] };
      return { ...before, strokes: [...before.strokes.slice(0, -1), longer] };
    });
  };
  const letGo = () => {
    held.current = null;
  };
  const onKeyDown = (event: KeyboardEvent, index: number) => {
    const by = moveOf(event);
    if (!by) return;
    event.preventDefault();
    const { x, y } = picture.objects[index];
    onChange((before) => shifted(before, index, x + by.columns / pictureSize, y + by.rows / pictureSize));
  };
  const caption = ownCaption(picture);
  const painted = picture.strokes.length;
  const lines = painted === 0 ? '' : `, with ${painted} painted ${painted === 1 ? 'line' : 'lines'}`;
  return (
    <div
      className={styles.stage}
      data-paints={hand.does === 'paint' || undefined}
      ref={stage}
      onPointerDown={take}
      onPointerMove={move}
      onPointerUp={letGo}
      onPointerCancel={letGo}
    >
      <Thumbnails pictures={bytes} columns={[0]} label={`Your picture: ${caption || 'no object'}${lines}`} />
      {picture.objects.map((object, i) => {
        const { shape, colour, x, y } = object;
        const radius = ownRadius(object);
        return (
          <button
            key={i}
            type="button"
            aria-label={`Object ${i + 1}, ${colour} ${shape}, ${share(x)} across, ${share(y)} down: arrow keys move it`}
            style={{
              insetInlineStart: share(x - radius),
              insetBlockStart: share(y - radius),
              inlineSize: share(2 * radius),
            }}
            onKeyDown={(event) => onKeyDown(event, i)}
          />
        );
      })}
    </div>
  );
}
