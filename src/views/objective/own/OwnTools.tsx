import { mostOwnObjects, movedTo, type OwnPicture } from '../../../world/ownScene.ts';
import { colours, grounds } from '../../../world/worldWords.ts';
import { Segmented } from '../../page/Segmented.tsx';
import { Choice } from './Choice.tsx';
import type { Hand } from './OwnStage.tsx';

interface OwnToolsProps {
  readonly picture: OwnPicture;
  readonly hand: Hand;
  onHand(hand: Hand): void;
  onChange(picture: OwnPicture): void;
}

/** Chooses what the pointer does, the ground, and objects that come and lines that go. */
export function OwnTools({ picture, hand, onHand, onChange }: OwnToolsProps) {
  const { objects, strokes, ground } = picture;
  const add = () => {
    const like = {
      shape: 'star',
      colour: 'yellow',
      size: 'medium',
      tone: null,
      filling: 'filled',
      x: 0,
      y: 0,
    } as const;
    const [other] = objects;
    // It goes where the other object is not.
    const place = (value: number | undefined) => (value === undefined ? 0.5 : 1 - value);
    onChange({ ...picture, objects: [...objects, movedTo(like, place(other?.x), place(other?.y))] });
  };
  return (
    <div className="toolbar">
      <Segmented
        legend="Pointer"
        name="own-hand"
        choices={
          [
            { value: 'move', label: 'moves' },
            { value: 'paint', label: 'paints' },
          ] as const
        }
        value={hand.does}
        onChange={(does) => onHand({ ...hand, does })}
      />
      {hand.does === 'paint' && (
        <Choice
          label="Brush"
          choices={colours}
          value={hand.colour}
          onChange={(colour) => onHand({ ...hand, colour })}
        />
      )}
      {strokes.length > 0 && (
        <>
          <button
            type="button"
            className="small"
            onClick={() => onChange({ ...picture, strokes: strokes.slice(0, -1) })}
          >
            Undo a line
          </button>
          <button type="button" className="small" onClick={() => onChange({ ...picture, strokes: [] })}>
            Wipe
          </button>
        </>
      )}
      <Choice label="Ground" choices={grounds} value={ground} onChange={(ground) => onChange({ ...picture, ground })} />
      <button type="button" className="small" disabled={objects.length >= mostOwnObjects} onClick={add}>
        Add an object
      </button>
    </div>
  );
}
