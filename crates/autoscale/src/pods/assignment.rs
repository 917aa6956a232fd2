//! Who consumes which partition.

/// What cooperative-sticky assignment makes of it: as even as can be, and nothing moves that need
/// not.
///
/// `owners` has each partition's member, if it has one; `members` are those of the group now.
pub(super) fn assign(owners: &[Option<usize>], members: &[usize]) -> Vec<Option<usize>> {
    if members.is_empty() {
        return vec![None; owners.len()];
    }
    let (each, more) = (owners.len() / members.len(), owners.len() % members.len());
    let held = |member: usize| owners.iter().filter(|owner| **owner == Some(member)).count();
    // those that hold the most keep the most
    let mut ranked: Vec<usize> = members.to_vec();
    ranked.sort_by_key(|member| (std::cmp::Reverse(held(*member)), *member));
    let mut room: Vec<(usize, usize)> = ranked
        .iter()
        .enumerate()
        .map(|(rank, member)| (*member, each + usize::from(rank < more)))
        .collect();
    let mut assigned: Vec<Option<usize>> = owners
        .iter()
        .map(|owner| {
            let place =
                room.iter_mut().find(|(member, room)| Some(*member) == *owner && *room > 0)?;
            place.1 -= 1;
            Some(place.0)
        })
        .collect();
    for free in assigned.iter_mut().filter(|owner| owner.is_none()) {
        if let Some(place) = room.iter_mut().find(|(_, room)| *room > 0) {
            place.1 -= 1;
            *free = Some(place.0);
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_member_more_takes_only_its_share() {
        let two: Vec<Option<usize>> = (0..6).map(|partition| Some(partition % 2)).collect();
        let three = assign(&two, &[0, 1, 2]);
        assert_eq!(three.iter().filter(|owner| **owner == Some(2)).count(), 2);
        assert_eq!(two.iter().zip(&three).filter(|(before, after)| before != after).count(), 2);
        assert_eq!(assign(&two, &[]), [None; 6]);
        let beyond = assign(&[None; 2], &[4, 5, 6]);
        assert_eq!(beyond, [Some(4), Some(5)], "one member has nothing to do");
    }

    proptest! {
        #[test]
        fn it_is_even_and_whole_and_moves_no_more_than_it_must(
            owners in prop::collection::vec(prop::option::of(0..8_usize), 1..40),
            members in prop::collection::btree_set(0..8_usize, 1..8),
        ) {
            let members: Vec<usize> = members.into_iter().collect();
            let after = assign(&owners, &members);
            let held = |assigned: &[Option<usize>], member| assigned.iter().filter(|owner| **owner == Some(member)).count();
            let counts: Vec<usize> = members.iter().map(|member| held(&after, *member)).collect();
            prop_assert_eq!(counts.iter().sum::<usize>(), owners.len());
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
            for member in members {
                let kept = owners.iter().zip(&after).filter(|(before, after)| **before == Some(member) && before == after).count();
                prop_assert_eq!(kept, held(&owners, member).min(held(&after, member)));
            }
        }
    }
}
