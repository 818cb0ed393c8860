//! Which members of an object lead to a slot: the paths as a tree.

/// An index into [`Projection`]'s nodes; the payload itself is [`ROOT`].
pub(crate) type NodeId = usize;

pub(crate) const ROOT: NodeId = 0;

#[derive(Clone, Debug, Default)]
struct Node {
    /// The slot that wants the value itself.
    slot: Option<usize>,
    members: Vec<(Box<[u8]>, NodeId)>,
}

/// The tree of all paths.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    nodes: Vec<Node>,
}

impl Projection {
    /// Path `i` leads to slot `i`.
    pub(crate) fn new(paths: &[Vec<String>]) -> Self {
        let mut projection = Projection { nodes: vec![Node::default()] };
        for (slot, path) in paths.iter().enumerate() {
            let mut node = ROOT;
            for name in path {
                node = projection.member_or_new(node, name.as_bytes());
            }
            projection.nodes[node].slot = Some(slot);
        }
        projection
    }

    fn member_or_new(&mut self, node: NodeId, name: &[u8]) -> NodeId {
        if let Some(member) = self.member(node, name) {
            return member;
        }
        let member = self.nodes.len();
        self.nodes.push(Node::default());
        self.nodes[node].members.push((name.into(), member));
        member
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    #[inline]
    pub(crate) fn member(&self, node: NodeId, name: &[u8]) -> Option<NodeId> {
        self.nodes[node].members.iter().find(|(member, _)| **member == *name).map(|(_, member)| *member)
    }

    #[inline]
    pub(crate) fn slot(&self, node: NodeId) -> Option<usize> {
        self.nodes[node].slot
    }

    /// Whether any path goes on inside.
    #[inline]
    pub(crate) fn goes_on(&self, node: NodeId) -> bool {
        !self.nodes[node].members.is_empty()
    }

    /// Calls `each` with every slot inside `node`, its own left out.
    pub(crate) fn slots_inside(&self, node: NodeId, each: &mut impl FnMut(usize)) {
        for &(_, member) in &self.nodes[node].members {
            if let Some(slot) = self.nodes[member].slot {
                each(slot);
            }
            self.slots_inside(member, each);
        }
    }
}
